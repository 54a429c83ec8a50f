"""Merging letters into a row, and rows as items of the table."""

from dataclasses import replace
from typing import Any

import pytest

from sync.deadletters.row import CLOCKS_NS, Row, folded, from_item, merged, to_item
from sync.recovery.bodies import Payload

KEYS = {"productId": {"S": "p"}}
EARLY, MIDDLE, LATE = (f"2026-11-21T08:00:0{n}.000Z" for n in range(3))
WROTE = 10**18

OPEN = Row(
    id="row",
    kind="quarantined",
    first_at=MIDDLE,
    last_at=MIDDLE,
    seen=3,
    letter="one",
    table="products",
    keys=KEYS,
    sink="opensearch",
    error="an older error",
    version=5,
    after=50,
    state="older",
    body="{}",
    replays=2,
    replayed_at=MIDDLE,
)
REPLAYED = replace(
    OPEN, status="replayed", wrote=WROTE, resolved_at=LATE, expires_at=1, reason="written"
)
DISCARDED = replace(OPEN, status="discarded", resolved_at=LATE, expires_at=1, reason="noise")


def letter(**fields: Any) -> Row:
    """A row of one letter of the same key."""
    newer = Row(
        id="row",
        kind="queued",
        first_at=LATE,
        last_at=LATE,
        letter="two",
        table="products",
        keys=KEYS,
        sink="opensearch",
        error="a newer error",
        version=6,
        after=60,
        body="[]",
    )
    return replace(newer, **fields)


def test_the_first_letter_is_the_row() -> None:
    """With all that it says."""
    assert merged(None, letter()) == letter()


def test_a_newer_letter_takes_the_row_over() -> None:
    """Its error and body are shown; how often and how long it fails is counted on."""
    assert merged(OPEN, letter()) == replace(
        letter(), first_at=MIDDLE, seen=4, replays=2, replayed_at=MIDDLE
    )


@pytest.mark.parametrize("version", [5, 6])
def test_of_two_letters_of_one_version_the_later_one_is_shown(version: int) -> None:
    """A write that was tried again may fail for another reason."""
    after = merged(OPEN, letter(version=version))
    assert after is not None
    assert after.error == "a newer error"


def test_an_older_letter_is_counted_and_no_more() -> None:
    """In whatever order letters come, the newest is shown."""
    old = letter(version=4, first_at=EARLY, last_at=EARLY, after=40)
    assert merged(OPEN, old) == replace(OPEN, first_at=EARLY, seen=4)


def test_an_older_letter_may_wait_longer_than_the_newest() -> None:
    """Its request may be the last to take effect."""
    old = letter(version=4, after=70)
    assert merged(OPEN, old) == replace(OPEN, last_at=LATE, seen=4, after=70)


@pytest.mark.parametrize("row", [OPEN, REPLAYED, DISCARDED])
def test_a_copy_of_a_letter_changes_nothing(row: Row) -> None:
    """Also if it is newer than what resolved the row."""
    assert merged(row, letter(letter="one", version=2 * WROTE)) is None


@pytest.mark.parametrize(
    ("row", "version", "opens"),
    [
        (REPLAYED, WROTE - CLOCKS_NS - 1, False),
        (REPLAYED, WROTE - CLOCKS_NS, True),
        (REPLAYED, WROTE + 1, True),
        (DISCARDED, 4, False),
        (DISCARDED, 5, False),
        (DISCARDED, 6, True),
    ],
)
def test_a_resolved_row_opens_again_for_what_is_newer(row: Row, version: int, opens: bool) -> None:
    """Than its replay, as far as clocks can tell; or than what was discarded."""
    after = merged(row, letter(version=version))
    if not opens:
        assert after is None
    else:
        assert after == replace(
            letter(version=version), first_at=MIDDLE, seen=4, replays=2, replayed_at=MIDDLE
        )


@pytest.mark.parametrize(
    ("own", "version", "state"),
    [
        (None, WROTE, "older"),
        (None, WROTE + 1, None),
        ("newer", WROTE, "newer"),
    ],
)
def test_a_replay_that_was_refused_knows_the_state_that_it_wrote(
    own: str | None, version: int, state: str | None
) -> None:
    """So it is not repeated until the item changes. Another write may have had another state."""
    after = merged(REPLAYED, letter(version=version, state=own))
    assert after is not None
    assert after.state == state


WHOLE = replace(
    REPLAYED,
    model="Product",
    target="products",
    document_id="p",
    error_class="Refused",
    trace="line 1",
    payload=Payload("bucket", "letters/row/one.json", 9),
    erased_at=LATE,
)


def test_a_row_is_an_item_of_its_fields() -> None:
    """Numbers are numbers, keys and payload are JSON, and what is unknown is absent."""
    assert to_item(letter()) == {
        "id": {"S": "row"},
        "kind": {"S": "queued"},
        "first_at": {"S": LATE},
        "last_at": {"S": LATE},
        "status": {"S": "open"},
        "seen": {"N": "1"},
        "letter": {"S": "two"},
        "table": {"S": "products"},
        "keys": {"S": '{"productId":{"S":"p"}}'},
        "sink": {"S": "opensearch"},
        "error_class": {"S": ""},
        "error": {"S": "a newer error"},
        "version": {"N": "6"},
        "after": {"N": "60"},
        "body": {"S": "[]"},
        "replays": {"N": "0"},
        "wrote": {"N": "0"},
    }
    assert to_item(WHOLE)["payload"] == {
        "S": '{"bucket":"bucket","bytes":9,"key":"letters/row/one.json"}'
    }


@pytest.mark.parametrize("row", [OPEN, WHOLE])
def test_a_row_is_read_as_it_was_written(row: Row) -> None:
    """With every field."""
    assert from_item(to_item(row)) == row


def test_keys_are_written_in_one_order() -> None:
    """Whatever order a record has them in."""
    keys = {"SK": {"S": "b"}, "PK": {"S": "a"}}
    assert to_item(letter(keys=keys))["keys"] == {"S": '{"PK":{"S":"a"},"SK":{"S":"b"}}'}


def test_half_of_a_surrogate_pair_is_escaped() -> None:
    """DynamoDB would refuse the whole row."""
    assert to_item(letter(error="a\ud800b"))["error"] == {"S": "a\\ud800b"}


def test_a_list_shows_what_people_need() -> None:
    """Neither bodies, which are large, nor what only this service needs."""
    assert WHOLE.summary() == {
        "id": "row",
        "kind": "quarantined",
        "first_at": MIDDLE,
        "last_at": MIDDLE,
        "status": "replayed",
        "seen": 3,
        "table": "products",
        "keys": KEYS,
        "sink": "opensearch",
        "model": "Product",
        "target": "products",
        "document_id": "p",
        "error_class": "Refused",
        "error": "an older error",
        "version": 5,
        "after": 50,
        "replays": 2,
        "replayed_at": MIDDLE,
        "reason": "written",
        "resolved_at": LATE,
        "erased_at": LATE,
        "expires_at": 1,
    }


def test_letters_are_folded_as_if_they_were_merged_one_by_one() -> None:
    """A copy of the last changes nothing."""
    one, other = letter(letter="a", version=6, seen=1), letter(letter="b", version=7, seen=1)
    (row,) = folded([one, other, other])
    assert (row.letter, row.version, row.seen) == ("b", 7, 2)
