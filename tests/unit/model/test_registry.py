"""Which model wants a record."""

import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sync.errors import RecordError, RegistryError
from sync.model.model import Model, Route
from sync.model.registry import PrefixIndex, Registry
from sync.sinks.memory import Memory
from tests.records import core_keys


def model(name: str, table: str = "core", **keys: str) -> type[Model]:
    """A model without fields under *keys*."""
    made: type[Model] = type(name, (Model,), {"__module__": __name__})
    made.route = Route(table, keys, {Memory: "documents"})
    return made


def registry(*models: type[Model]) -> Registry:
    return Registry(models, {"core": "test-core", "years": "years"})


def matched(found: Any) -> str | None:
    return found.model.__name__ if found else None


AIRCRAFT = model("Aircraft", PK="ICAO#AIRCRAFT", SK="TYPE#.+")
IMAGES = model("Images", PK="IMAGES#.+", SK="IMG#.+")
LINKS = model("Links", PK="FAA#LINKS", SK=r"MFR_MDL_CODE#\w+#SN#.+")


@pytest.mark.parametrize(
    ("pk", "sk", "name"),
    [
        ("ICAO#AIRCRAFT", "TYPE#A320", "Aircraft"),
        ("ICAO#AIRCRAFT", "TYPE#A\n320", "Aircraft"),
        ("ICAO#AIRCRAFT", "TYPE#", None),
        ("ICAO#AIRCRAFT2", "TYPE#A320", None),
        ("ICAO#AIRCRAF", "TYPE#A320", None),
        ("IMAGES#ORG#1", "IMG#2", "Images"),
        ("IMAGES#ORG#1", "DEFAULT", None),
        ("FAA#LINKS", "MFR_MDL_CODE#12#SN#9", "Links"),
        ("", "", None),
    ],
)
def test_patterns_match_in_full(pk: str, sk: str, name: str | None) -> None:
    """A beginning or an end that fits is not enough; any character may stand in a key."""
    assert matched(registry(AIRCRAFT, IMAGES, LINKS).match("test-core", core_keys(pk, sk))) == name


def test_an_unknown_table_matches_nothing() -> None:
    """Tables are told apart by their full name."""
    assert registry(AIRCRAFT).match("prod-core", core_keys("ICAO#AIRCRAFT", "TYPE#A")) is None


def test_numeric_keys_match_in_plain_decimal() -> None:
    """However the number was written."""
    found = registry(model("Year", table="years", year=r"\d{4}"))
    assert matched(found.match("years", {"year": {"N": "2.026E3"}})) == "Year"


@pytest.mark.parametrize("keys", [{}, {"PK": {"S": "a"}}, {"PK": {"S": "a"}, "SK": {"X": "b"}}])
def test_malformed_keys_are_refused_naming_the_table(keys: Any) -> None:
    """The record goes to the dead letters with a message people can use."""
    with pytest.raises(RecordError, match="test-core"):
        registry(AIRCRAFT).match("test-core", keys)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"PK": "A", "SK": "B#.+"}, {"PK": "A", "SK": "B#C"}),
        ({"PK": "A#.+", "SK": ".+"}, {"PK": "A#B", "SK": "X"}),
        ({"PK": "A|B", "SK": ".*"}, {"PK": "B|C", "SK": "x*"}),
        ({"PK": "A", "SK": "[A-Z]+"}, {"PK": "A", "SK": "[A-M]{1,2}"}),
        ({"PK": "A", "SK": "B"}, {"PK": "A", "SK": "B"}),
    ],
)
def test_overlapping_models_are_refused_at_start(one: Any, other: Any) -> None:
    """Order never decides, so two models that want one key can't both be served."""
    with pytest.raises(RegistryError, match="One and Other both want"):
        registry(model("One", **one), model("Other", **other))


def test_a_record_two_models_match_is_refused_at_run_time() -> None:
    """An overlap that no sample showed."""
    found = registry(
        model("Even", PK="(?:..)+", SK="x"), model("Three", PK="(?:...){3,}(?=)", SK="x")
    )
    with pytest.raises(RegistryError, match="Even, Three"):
        found.match("test-core", core_keys("a" * 12, "x"))


@pytest.mark.parametrize(
    ("models", "error"),
    [
        ([type("NoRoute", (Model,), {"__module__": __name__})], "NoRoute has no route"),
        ([model("Bad", PK="(", SK="x")], "Bad: bad key pattern"),
        ([model("A", PK="a"), model("B", PK="b", SK="c")], "disagree on the key attributes"),
    ],
)
def test_a_registry_that_cannot_work_is_refused_at_start(models: Any, error: str) -> None:
    """The message names the model or the table."""
    with pytest.raises(RegistryError, match=error):
        registry(*models)


def test_a_model_of_a_table_that_the_stage_lacks_is_left_out() -> None:
    """It has no part in what the stage is made of, such as its sinks."""
    found = registry(AIRCRAFT, model("Odd", table="orders", PK="a"))
    assert found.models == (AIRCRAFT,)
    assert found.tables == {"test-core": ("PK", "SK")}


KEYS = st.text("AB#1", max_size=5)
TAILS = st.sampled_from(["", ".+", ".*", "[A-B]+", "#?"])
PATTERNS = st.builds(lambda literal, tail: literal + tail, KEYS, TAILS)


@given(st.lists(st.tuples(PATTERNS, PATTERNS), min_size=1, max_size=8), KEYS, KEYS)
def test_match_equals_trying_every_pattern(
    patterns: list[tuple[str, str]], pk: str, sk: str
) -> None:
    """The index is a short cut, never another answer."""
    models = [model(f"M{n}", PK=p, SK=s) for n, (p, s) in enumerate(patterns)]
    try:
        found = registry(*models)
    except RegistryError:
        assume(False)
    fitting = [
        m.__name__
        for m, (p, s) in zip(models, patterns, strict=True)
        if re.fullmatch(p, pk) and re.fullmatch(s, sk)
    ]
    if len(fitting) > 1:
        with pytest.raises(RegistryError):
            found.match("test-core", core_keys(pk, sk))
    else:
        expected = fitting[0] if fitting else None
        assert matched(found.match("test-core", core_keys(pk, sk))) == expected


def refused(*models: type[Model]) -> bool:
    try:
        registry(*models)
    except RegistryError:
        return True
    return False


@given(st.lists(st.tuples(PATTERNS, PATTERNS), min_size=2, max_size=6))
def test_models_are_refused_together_where_two_of_them_are_alone(
    patterns: list[tuple[str, str]],
) -> None:
    """Comparing neighbours only misses no pair."""
    models = [model(f"M{n}", PK=p, SK=s) for n, (p, s) in enumerate(patterns)]
    assert refused(*models) == any(refused(*pair) for pair in combinations(models, 2))


@given(st.sets(KEYS, max_size=12), KEYS)
def test_prefix_index_finds_every_prefix(prefixes: set[str], text: str) -> None:
    """All of them, longest first."""
    index = PrefixIndex({prefix: prefix for prefix in prefixes})
    expected = sorted((p for p in prefixes if text.startswith(p)), key=len, reverse=True)
    assert list(index.find(text)) == expected
