"""Event filter patterns, one test for each rule."""

import json
from typing import Any

import pytest

from local.delivery.filters import Filters
from sync.errors import ConfigError
from tests.records import core_keys, stream_record

EVENT = stream_record(
    core_keys("ICAO#AIRCRAFT", "TYPE#A320"),
    {
        "name": {"S": "Airbus"},
        "engines": {"N": "2"},
        "active": {"BOOL": True},
        "tags": {"SS": ["jet", "narrow"]},
        "parts": {"L": [{"S": "wing"}, {"M": {"kind": {"S": "tail"}}}]},
        "empty": {"S": ""},
        "nothing": {"NULL": True},
    },
)


def passes(*patterns: Any) -> bool:
    return Filters([json.dumps(pattern) for pattern in patterns]).match(EVENT)


def image(**attributes: Any) -> dict[str, Any]:
    """A pattern on attributes of the new image."""
    return {"dynamodb": {"NewImage": attributes}}


def test_without_filters_everything_passes() -> None:
    """A mapping without FilterCriteria delivers every record."""
    assert passes()
    assert not Filters()


def test_one_of_several_values_is_enough() -> None:
    """The rules of one field are alternatives."""
    assert passes({"eventName": ["REMOVE", "INSERT"]})
    assert not passes({"eventName": ["REMOVE", "MODIFY"]})


def test_every_field_of_a_pattern_has_to_match() -> None:
    """The fields of one pattern are AND-ed."""
    assert passes(image(name={"S": ["Airbus"]}, engines={"N": ["2"]}))
    assert not passes(image(name={"S": ["Airbus"]}, engines={"N": ["4"]}))


def test_one_of_several_filters_is_enough() -> None:
    """The filters of a mapping are OR-ed."""
    assert passes({"eventName": ["REMOVE"]}, image(name={"S": ["Airbus"]}))
    assert not passes({"eventName": ["REMOVE"]}, image(name={"S": ["Boeing"]}))


def test_or_within_a_pattern() -> None:
    """$or makes alternatives of whole patterns, beside fields that must match too."""
    either = {"$or": [{"eventName": ["REMOVE"]}, image(engines={"N": ["2"]})]}
    assert passes(either)
    assert not passes({**either, "eventSource": ["aws:kinesis"]})


def test_numeric_never_matches_a_dynamodb_number() -> None:
    """N is a string in the record, so numeric comparison is always false on it (FI)."""
    assert not passes(image(engines={"N": [{"numeric": ["=", 2]}]}))
    assert not passes(image(engines={"N": [{"numeric": [">", 0]}]}))
    assert not passes(image(engines={"N": [2]}))


def test_numeric_compares_numbers() -> None:
    """On a field that is a number in JSON, both bounds have to hold; a boolean is none."""
    assert passes({"dynamodb": {"SizeBytes": [{"numeric": [">", 99, "<=", 100]}]}})
    assert not passes({"dynamodb": {"SizeBytes": [{"numeric": [">", 100]}]}})
    assert not passes(image(active={"BOOL": [{"numeric": ["=", 1]}]}))


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ("Airbus", True),
        ("airbus", False),
        ({"equals-ignore-case": "aIRBUS"}, True),
        ({"equals-ignore-case": "Boeing"}, False),
        ({"prefix": "Air"}, True),
        ({"prefix": "bus"}, False),
        ({"suffix": "bus"}, True),
        ({"suffix": "Air"}, False),
        ({"anything-but": ["Boeing"]}, True),
        ({"anything-but": ["Boeing", "Airbus"]}, False),
        ({"exists": True}, True),
        ({"exists": False}, False),
        (None, False),
    ],
)
def test_operators_on_a_string(rule: object, matches: bool) -> None:
    """Each comparison that Lambda documents, on an attribute of type S."""
    assert passes(image(name={"S": [rule]})) is matches


def test_an_absent_field_matches_only_its_absence() -> None:
    """A field that isn't there is not anything-but: only exists: false finds it."""
    assert passes(image(missing={"S": [{"exists": False}]}))
    for rule in ({"exists": True}, {"anything-but": ["x"]}, {"prefix": ""}, "", None):
        assert not passes(image(missing={"S": [rule]})), rule


def test_exists_looks_at_leaves_only() -> None:
    """On an attribute as a whole, which is a map, exists finds nothing (FI)."""
    assert not passes(image(name=[{"exists": True}]))
    assert passes(image(name=[{"exists": False}]))


def test_empty_and_true_are_values() -> None:
    """An empty string equals one, and true is neither 1 nor a string."""
    assert passes(image(empty={"S": [""]}))
    assert passes(image(active={"BOOL": [True]}))
    assert not passes(image(active={"BOOL": [1]}))
    assert not passes(image(active={"BOOL": ["true"]}))


def test_a_list_matches_by_one_of_its_elements() -> None:
    """Assumed, as EventBridge does: sets and lists match by any element."""
    assert passes(image(tags={"SS": ["jet"]}))
    assert passes(image(parts={"L": {"S": ["wing"]}}))
    assert passes(image(parts={"L": {"M": {"kind": {"S": ["tail"]}}}}))
    assert not passes(image(tags={"SS": ["wide"]}))


@pytest.mark.parametrize(
    "pattern",
    [
        "{",
        "[]",
        "{}",
        '{"eventName": "INSERT"}',
        '{"eventName": []}',
        '{"dynamodb": {}}',
        '{"eventName": [{"wildcard": "IN*"}]}',
        '{"eventName": [{"anything-but": {"prefix": "IN"}}]}',
        '{"eventName": [{"prefix": 1}]}',
        '{"eventName": [{"prefix": "a", "suffix": "b"}]}',
        '{"eventName": [{"numeric": [">"]}]}',
        '{"eventName": [{"numeric": ["~", 1]}]}',
        '{"eventName": [["INSERT"]]}',
        '{"$or": [{"eventName": ["INSERT"]}]}',
        '{"eventName": ["' + "x" * 4096 + '"]}',
    ],
)
def test_a_pattern_that_lambda_would_not_take_is_refused(pattern: str) -> None:
    """A wrong pattern is an error that shows it, not a filter that drops everything."""
    with pytest.raises(ConfigError, match="FilterCriteria"):
        Filters([pattern])


def test_six_filters_are_refused() -> None:
    """A mapping has five filters at most."""
    with pytest.raises(ConfigError, match="6 filters"):
        Filters(['{"eventName": ["INSERT"]}'] * 6)
