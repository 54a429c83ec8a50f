"""Whether an item is what it was when its dead letter was written."""

from typing import Any

import pytest

from sync.recovery.state import GONE, state_in, state_of
from tests.records import core_keys, stream_record

KEYS = core_keys("THING", "1")
ITEM: Any = {
    **KEYS,
    "tags": {"SS": ["a", "b'c", "d"]},
    "sizes": {"NS": ["1", "20", "3"]},
    "hashes": {"BS": ["AA==", "AQ=="]},
    "parts": {"L": [{"S": "x"}, {"M": {"tags": {"SS": ["y", "z"]}}}]},
}
AGAIN: Any = {
    "parts": {"L": [{"S": "x"}, {"M": {"tags": {"SS": ["z", "y"]}}}]},
    "hashes": {"BS": ["AQ==", "AA=="]},
    "sizes": {"NS": ["3", "20", "1"]},
    "tags": {"SS": ["d", "b'c", "a"]},
    **dict(reversed(KEYS.items())),
}


def test_an_item_has_one_state_however_it_is_listed() -> None:
    """The stream and GetItem list attributes and the members of sets in any order."""
    assert state_of(ITEM) == state_of(AGAIN)


def test_a_state_is_the_same_in_every_release() -> None:
    """It is kept in rows: another one would have every open letter replayed."""
    assert state_of(ITEM) == "1a5a2da95948ca146ab4f233ed300c22"
    assert state_of(None) == GONE == "gone"


@pytest.mark.parametrize(
    "changed",
    [
        {**ITEM, "name": {"S": "x"}},
        {**ITEM, "PK": {"S": "OTHER"}},
        {**ITEM, "tags": {"SS": ["a", "b'c"]}},
        {**ITEM, "tags": {"L": ITEM["tags"]["SS"]}},
        {**ITEM, "sizes": {"NS": ["1", "20", "4"]}},
        {**ITEM, "hashes": {"BS": ["AA==", "Ag=="]}},
        {**ITEM, "parts": {"L": [*reversed(ITEM["parts"]["L"])]}},
        {**ITEM, "parts": {"L": [{"S": "x"}, {"M": {"tags": {"SS": ["y"]}}}]}},
    ],
)
def test_every_change_makes_another_state(changed: Any) -> None:
    """Of an attribute, a member of a set, the order of a list, however deep."""
    assert state_of(changed) != state_of(ITEM)


def test_a_letter_has_the_state_that_its_record_left() -> None:
    """Of the stream, or as a worker read it; a deleted item is gone."""
    assert state_in(stream_record(KEYS, ITEM)) == state_of(ITEM)
    assert state_in(stream_record(KEYS, ITEM, old=KEYS)) == state_of(ITEM)
    assert state_in(stream_record(KEYS, None, old=ITEM)) == GONE
    assert state_in(stream_record(KEYS, ITEM, event_name="REMOVE")) == GONE
    assert state_in({"table": "t", "keys": KEYS, "item": ITEM}) == state_of(ITEM)
    assert state_in({"table": "t", "keys": KEYS, "item": None}) == GONE


def nested(depth: int) -> Any:
    inner: Any = {"S": "x"}
    for _ in range(depth):
        inner = {"L": [inner]}
    return inner


@pytest.mark.parametrize(
    "record",
    [
        None,
        "text",
        {},
        {"table": "t", "keys": KEYS},
        {"dynamodb": "text"},
        {"dynamodb": {"NewImage": "text"}},
        {"item": ["text"]},
        {"item": {"a": {"SS": ["x"], 5: "x"}}},
        {"item": {"a": nested(100_000)}},
    ],
)
def test_what_shows_no_item_has_no_state(record: Any) -> None:
    """A malformed record is a letter all the same, which a replay always tries."""
    assert state_in(record) is None


@pytest.mark.parametrize(
    "odd", [{"SS": ["b", 5]}, {"NS": 5}, {"M": "text"}, {"L": "text"}, {"NS": "12"}, "x"]
)
def test_an_attribute_that_is_malformed_has_a_state(odd: Any) -> None:
    """So that its letter isn't replayed before somebody has changed the item."""
    state = state_in({"item": {**KEYS, "odd": odd}})
    assert state is not None
    assert state != state_of(KEYS)
