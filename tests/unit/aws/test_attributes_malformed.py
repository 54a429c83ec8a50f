"""What the attribute codec refuses, and how it says so."""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.aws import attributes
from sync.aws.attributes import MAX_DEPTH, decode, decode_value, dumps, key_text
from sync.errors import InvalidImage

NUMBER = "not a decimal number"
RANGE = "a number outside 1E-130 to 9.9…E+125"
SURROGATE = "a lone surrogate at character 1"
CONTENTS: list[tuple[str, list[Any], str, str]] = [  # type, values, the place inside, what is said
    ("S", [5, None, b"a", ["a"], {}], "", "expected a string"),
    ("S", ["a\ud800", "ไ\udfff\ud800"], "", SURROGATE),
    ("N", [5, 1.5, None, b"5", True], "", "expected a number's text"),
    ("N", ["", ".", "-", "1e", "--1", "1.2.3", "1,2", "0x10"], "", NUMBER),
    ("N", ["NaN", "nan", "Infinity", "-Infinity", "inf", "sNaN"], "", NUMBER),
    ("N", [" 1", "1 ", "\t1.5", "1\n", "1.5\r", "\u00a01", "1_000", "1_0.5"], "", NUMBER),
    ("N", ["\u0661", "\uff11", "\u00b2", "1.\u0665", "\ud800"], "", NUMBER),
    ("N", ["true", "null", '"1"', "[1", "[1]", "{}"], "", NUMBER),
    ("N", ["1" * 39, f"-1.{'0' * 37}1", "0.0" + "7" * 39], "", "39 significant digits"),
    ("N", ["1E+126", "-1E126", "9E-131", "1E-131", "1e309", f"1E+{'9' * 20}"], "", RANGE),
    ("N", [f"1E-{'9' * 20}", "1" + "0" * 126, f"0.{'0' * 130}1"], "", RANGE),
    ("BOOL", ["true", 1, None, {}], "", "expected true or false"),
    ("NULL", [False, None, "true", 1], "", "a NULL that is not true"),
    ("L", [{}, "", None, "ab", {"S": "a"}], "", "expected a list"),
    ("M", [[], "", None, [["a", {"S": "a"}]]], "", "expected a map"),
    ("M", [{"a\ud800": {"S": "a"}}], ".a\\ud800", SURROGATE),
    ("SS", [{}, "ab", None], "", "expected a list"),
    ("SS", [["a", 5]], "[1]", "expected a string"),
    ("SS", [["a", "b", "a\ud800"]], "[2]", SURROGATE),
    ("NS", [{}, "12", None], "", "expected a list"),
    ("NS", [["1", "2", "x"], ["3", "1", "1_0"]], "[2]", NUMBER),
    ("BS", [{}, "QQ==", b"A"], "", "expected a list"),
    ("BS", [["QQ==", "?"]], "[1]", "not base64"),
    ("B", ["a", "QQ", "QQ===", "Q Q=", "QQ=\n=", "ไทย="], "", "not base64"),
    ("B", [5, None, ["QQ=="]], "", "expected base64 text"),
    ("X", ["a"], "", "unknown type 'X'"),
    ("s", ["a"], "", "unknown type 's'"),
]
MALFORMED: list[tuple[Any, str, str]] = [
    *[({tag: value}, where, said) for tag, values, where, said in CONTENTS for value in values],
    *[(av, "", "expected an attribute value") for av in [None, 5, "S", ["S"], []]],
    ({}, "", "expected one type, found 0"),
    ({"S": "a", "N": "1"}, "", "expected one type, found 2"),
]


@given(
    st.sampled_from(MALFORMED),
    st.lists(st.sampled_from(["specs", "ชื่อ", 0, 3, 12]), max_size=5),
    st.sampled_from([{"S": "fine"}, {"N": "1"}, {"BOOL": True}]),
)
def test_a_malformed_image_is_refused_at_its_place(
    malformed: tuple[Any, str, str], path: list[str | int], beside: dict[str, Any]
) -> None:
    """The error names the attribute's path, wherever it is and whatever stands beside it."""
    av, where, reason = malformed
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    for step in reversed(path):
        if isinstance(step, int):
            av = {"L": [beside] * step + [av, beside]}
        else:
            av = {"M": {"a": beside, step: av, "z": beside}}
    with pytest.raises(InvalidImage) as caught:
        decode({"a": beside, "item": av})
    assert str(caught.value).startswith(f"item{place}{where}: {reason}")


@pytest.mark.parametrize("malformed", MALFORMED)
def test_malformed_means_refused_by_every_reader(malformed: tuple[Any, str, str]) -> None:
    """No way in takes what another refuses."""
    av, _, reason = malformed
    for read in (decode_value, key_text, lambda av: decode({"x": av})):
        with pytest.raises(InvalidImage, match=re.escape(reason)):
            read(av)


def test_an_error_does_not_show_the_value() -> None:
    """Values may be secret, or megabytes; a log line takes the error as it is."""
    secret = "secret-" * 20
    for av in (
        {"N": secret},
        {"B": secret},
        {"BOOL": secret},
        {"L": secret},
        {"S": f"{secret}\ud800"},
    ):
        with pytest.raises(InvalidImage) as caught:
            decode({"name\ud800": av, "x": av})
        assert secret not in str(caught.value)
        assert str(caught.value).encode().startswith(b"name\\ud800: ")


def test_a_long_name_is_cut_short_in_an_error() -> None:
    """DynamoDB allows names of 64 KB."""
    with pytest.raises(InvalidImage) as caught:
        decode({"n" * 65_000: {"X": 1}})
    assert str(caught.value) == f"{'n' * 80}: unknown type 'X'"


@pytest.mark.parametrize("wrap", [lambda av: {"L": [av]}, lambda av: {"M": {"a": av}}])
def test_nesting_is_bounded_by_name_and_not_by_the_stack(wrap: Callable[[Any], Any]) -> None:
    """As deep as MAX_DEPTH is read and written; deeper is refused, however deep."""
    av: Any = {"S": ""}
    for _ in range(MAX_DEPTH):
        av = wrap(av)
    values = decode({"x": av})
    assert json.loads(dumps(values)) == values
    for levels in (1, 5_000):
        for _ in range(levels):
            av = wrap(av)
        with pytest.raises(InvalidImage, match=rf"^x.*nested more than {MAX_DEPTH} levels"):
            decode({"x": av})


@pytest.mark.parametrize(
    ("where", "bug", "av"),
    [
        ("_text", lambda value, _=0: value, {"S": "a\ud800"}),
        ("_text", lambda value, _=0: value, {"M": {"a\ud800": {"S": "a"}}}),
        ("_binary", lambda value, _=0: value, {"B": "QQ"}),
        ("_null", lambda _value, _depth: None, {"NULL": False}),
        ("_boolean", lambda value, _: bool(value), {"BOOL": "true"}),
        ("_list", lambda avs, _: [*map(decode_value, avs)], {"L": {}}),
        ("number", Decimal, {"N": "NaN"}),
        ("number", Decimal, {"N": "1_000"}),
        ("number", Decimal, {"N": " 1"}),
        ("number", float, {"N": "\u0661"}),
        ("number", orjson.loads, {"N": "1\n"}),
        ("number", orjson.loads, {"N": "1e-131"}),
        ("_exact_number", Decimal, {"N": "1" * 39}),
    ],
)
def test_a_planted_bug_lets_something_malformed_through(
    where: str, bug: Any, av: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these shortcuts takes what the tests above want refused."""
    with pytest.raises(InvalidImage):
        decode({"x": av})
    readers = {tag: bug for tag, reader in attributes._READERS.items() if reader.__name__ == where}
    monkeypatch.setattr(attributes, where, bug)
    monkeypatch.setattr(attributes, "_READERS", {**attributes._READERS, **readers})
    decode({"x": av})


def test_without_its_bound_nesting_exhausts_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the bound is what keeps a RecursionError away."""
    av: Any = {"S": ""}
    for _ in range(5_000):
        av = {"L": [av]}
    monkeypatch.setattr(attributes, "MAX_DEPTH", 10_000)
    with pytest.raises(RecursionError):
        decode({"x": av})


def test_a_bug_of_the_codec_is_not_blamed_on_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the second reading finds no fault with is raised as it was, so that it is seen."""

    def broken(value: Any, depth: int) -> None:
        raise TypeError("a bug")

    monkeypatch.setitem(attributes._READERS, "BOOL", broken)
    with pytest.raises(TypeError, match="a bug"):
        decode({"x": {"BOOL": True}})
