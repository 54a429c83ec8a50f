"""A mirror's document says what its item says, whatever its attributes are called and hold."""

from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.aws import attributes
from sync.aws.keys import identity
from sync.model import mirror
from tests.properties.mirrored import ITEMS, KEYS, METADATA, NAMES, Image, faults, op_of

KEY_NAMES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True)


@given(KEY_NAMES, st.data(), ITEMS)
def test_a_document_says_what_its_item_says(names: list[str], data: Any, item: Image) -> None:
    """As the independent checker expects it: id, index, names, and every value."""
    keys = {name: data.draw(KEYS) for name in names}
    assert faults(keys, {**item, **keys}) == []


@given(st.lists(st.tuples(KEYS, KEYS), min_size=2, max_size=2))
def test_ids_are_equal_where_keys_are(pairs: list[tuple[Any, Any]]) -> None:
    """And a deleted item's id is that of its document."""
    one, other = ({"name": first, "created": second} for first, second in pairs)
    same_item = [key_values(identity(keys)) for keys in (one, other)]
    assert (op_of(one, one).id == op_of(other, other).id) == (same_item[0] == same_item[1])
    assert op_of(one, None).id == op_of(one, one).id
    assert op_of(one, None).body is None


def key_values(found: tuple[tuple[str, str, str], ...]) -> list[str]:
    """The texts of keys: a table's key has one type, so the type is no part of an id."""
    return [text for _, _, text in found]


PLAIN: Image = {"id": {"S": "1"}}
CAUGHT: dict[str, Image] = {
    "the types of a list's first two values decide": {"a": {"L": [{"N": "1"}, {"S": "x"}]}},
    "lists in lists are not looked at": {
        "a": {"L": [{"L": [{"N": "1"}]}, {"L": [{"BOOL": True}]}]}
    },
    "metadata is written": {"_id": {"S": "x"}},
    "two names become one": {"_id": {"S": "x"}, "__id": {"S": "y"}},
    "base64 is lost": {"a": {"B": "AAEC"}},
    "sets lose members": {"a": {"NS": ["2", "1"]}},
    "digits are lost": {"a": {"N": "12345678901234567890123456789012345678"}},
}


@pytest.mark.parametrize("bug", CAUGHT)
def test_planted_bugs_are_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each breaks the law, which holds without it."""
    item = {**PLAIN, **CAUGHT[bug]}
    assert faults(PLAIN, item) == []
    plant(bug, monkeypatch)
    assert faults(PLAIN, item) != []


def plant(bug: str, patch: pytest.MonkeyPatch) -> None:
    match bug:
        case "the types of a list's first two values decide":
            patch.setattr(mirror, "_kinds", lambda values: iter(["text"]))
        case "lists in lists are not looked at":
            kinds = mirror._kinds

            def planted(values: list[Any]) -> Any:
                return kinds([value for value in values if not isinstance(value, list)])

            patch.setattr(mirror, "_kinds", planted)
        case "metadata is written":
            patch.setattr(mirror, "_field", lambda name: name)
        case "two names become one":
            patch.setattr(mirror, "_field", lambda name: f"__{name.lstrip('_')}")
        case "base64 is lost":
            text = {"B": lambda value, _: b64decode(value).decode("latin-1")}
            patch.setattr(attributes, "_READERS", {**attributes._READERS, **text})
        case "sets lose members":
            first = {"NS": lambda values, _: [attributes.number(values[0])]}
            patch.setattr(attributes, "_READERS", {**attributes._READERS, **first})
        case "digits are lost":
            patch.setattr(attributes, "number", float)


def test_every_name_of_opensearch_s_is_tried() -> None:
    """The names that items above have include all of them."""
    assert set(METADATA) <= set(NAMES)
