"""The attribute codec: what it reads, what it writes, and what it refuses."""

import json
import re
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson
import pytest
from boto3.dynamodb.types import Binary
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from sync.aws import attributes
from sync.aws.attributes import decode, decode_value, dumps, key_text, number
from sync.errors import InvalidImage
from tests.unit.aws.images import (
    LAWS,
    Image,
    images,
    number_texts,
    reads_as_boto3,
    reads_bytes_as_base64,
    writes_what_it_reads,
)

PLANTED = settings(max_examples=800, database=None, phases=[Phase.generate])


@pytest.mark.parametrize("law", LAWS)
def test_every_image_is_read_as_boto3_does_and_written_exactly(
    law: Callable[[Image], bool],
) -> None:
    """Each law of the codec holds for a hundred images; tests/properties has 100,000."""

    @given(images())
    def obeys(image: Image) -> None:
        assert law(image)

    obeys()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("-0.0", 0),
        ("0E99999999999999999999", 0),
        ("1.0", 1),
        ("1E+5", 100_000),
        ("1E+23", 10**23),
        ("9007199254740993", 9007199254740993),
        ("1E+125", 10**125),
        ("1" + "0" * 125, 10**125),
        ("0.1", 0.1),
        ("1E-130", 1e-130),
        ("-12345.6789", -12345.6789),
        ("0.123456789012345", 0.123456789012345),
        ("0.1234567890123456", Decimal("0.1234567890123456")),
        ("-1.2345678901234567890123456789012345678",) * 2,
    ],
)
def test_a_number_is_plain_where_that_is_exact(text: str, value: Any) -> None:
    """An int, or else a float of 15 digits, or else a Decimal; alone, in a list, in a long one."""
    expected = Decimal(value) if isinstance(value, str) else value
    assert repr(number(text)) == repr(expected)
    for count in (1, 20):
        assert repr(decode_value({"L": [{"N": text}] * count})) == repr([expected] * count)


def test_a_number_set_is_in_the_order_of_what_its_numbers_say() -> None:
    """The float 0.1 is a little more than 0.1: its binary value must not decide."""
    texts = ["0.1000000000000000000001", "0.1", "1E+2", "-3", "20"]
    expected = [-3, 0.1, Decimal("0.1000000000000000000001"), 20, 100]
    assert decode_value({"NS": texts}) == expected


@pytest.mark.parametrize("raw", [b"", b"\x00\xff", bytearray(b"abc"), Binary(b"abcd")])
def test_bytes_become_base64_text(raw: Any) -> None:
    """Clients answer bytes, and tables a Binary, where a Lambda event has text."""
    text = b64encode(getattr(raw, "value", raw)).decode()
    assert decode_value({"B": raw}) == text
    assert decode_value({"BS": [raw]}) == [text]


@pytest.mark.parametrize(
    ("av", "value"), [({"L": []}, []), ({"M": {}}, {}), ({"S": ""}, ""), ({"B": ""}, "")]
)
def test_empty_stays_empty(av: dict[str, Any], value: Any) -> None:
    """Nothing is left out for being empty, sets included."""
    assert decode({"x": av}) == {"x": value}
    for tag in ("SS", "NS", "BS"):
        assert decode_value({tag: []}) == []


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        2**64,
        -(2**63) - 1,
        10**125,
        pytest.param(10**5000, id="longer than str() writes"),
        Decimal("1E+5"),
        Decimal("-1.2345678901234567890123456789012345678"),
        Decimal("1.5E-130"),
        0.1,
    ],
)
def test_json_is_exact_for_what_models_hold(value: Any) -> None:
    """Decimals and ints of any size, alone and beside others."""
    exact = Decimal(str(value)) if isinstance(value, float) else value
    for wrap in (lambda x: x, lambda x: {"a": [{"b": x}, None, 2**70, "null"]}):
        line = dumps(wrap(value))
        assert json.loads(line, parse_float=Decimal, parse_int=Decimal) == wrap(exact)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, float("nan")]}, r"^a\[1\]: JSON has no place for NaN"),
        ({"a": {"b": float("-inf")}}, r"^a.b: JSON has no place for NaN"),
        ({"a": None, "b": "null", "c": float("nan")}, r"^c: JSON has no place for NaN"),
        ({"a": None, "b": [None, float("inf")]}, r"^b\[1\]: JSON has no place for NaN"),
        ({"a": Decimal("NaN")}, r"^a: JSON has no place for NaN"),
        ({"a": Decimal("sNaN")}, r"^a: JSON has no place for NaN"),
        ([2**70, Decimal("Infinity")], r"^\[1\]: JSON has no place for NaN"),
        ({"a": ["b", "c\ud800"]}, r"^a\[1\]: a lone surrogate at character 1"),
        ({"a\ud800": 1}, r"^a\\ud800: a lone surrogate at character 1"),
    ],
)
def test_what_json_cannot_say_is_refused(value: Any, message: str) -> None:
    """Never a null, a replacement character or a rounded number in its place."""
    with pytest.raises(InvalidImage, match=message):
        dumps(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    """It is nested too deep, like any other."""
    value: list[Any] = []
    value.append(value)
    with pytest.raises(InvalidImage, match="nested more than"):
        dumps(value)


@pytest.mark.parametrize("value", [{"a": {1, 2}}, {"a": object()}, {1: "a"}, {"a": b"b"}])
def test_a_type_without_json_is_a_bug_of_the_caller(value: Any) -> None:
    """TypeError, not InvalidImage: no item can be the cause."""
    with pytest.raises(TypeError):
        dumps(value)


def spellings() -> st.SearchStrategy[tuple[str, str]]:
    """Two spellings of one number."""

    def respell(text: str, shift: int, zeros: int) -> tuple[str, str]:
        sign, digits, exponent = Decimal(text).as_tuple()
        assert isinstance(exponent, int)
        sign_text = "-" if sign else ""
        coefficient = "".join(map(str, digits))
        other = f"{sign_text}{'0' * zeros}{coefficient}.{'0' * zeros}E{exponent:+}"
        if shift and len(digits) > 1:
            point = len(digits) - min(shift, len(digits) - 1)
            moved = f"{coefficient[:point]}.{coefficient[point:]}"
            other = f"{sign_text}{moved}e{exponent + len(digits) - point}"
        return text, other

    return st.builds(respell, number_texts(), st.integers(0, 40), st.integers(0, 3))


def one_text_each(write: Callable[[dict[str, Any]], str], pair: tuple[str, str]) -> bool:
    """Two spellings of a number have one text, which is the number, in plain decimal."""
    one, other = (write({"N": text}) for text in pair)
    plain = re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", one) and one != "-0"
    return one == other and bool(plain) and Decimal(one) == Decimal(pair[0])


@settings(max_examples=300)
@given(spellings())
def test_equal_numeric_keys_have_one_text(pair: tuple[str, str]) -> None:
    """Whatever exponent, sign or zeros a number comes with, its document id is the same."""
    assert one_text_each(key_text, pair)


@settings(max_examples=300)
@given(number_texts(), number_texts())
def test_different_numeric_keys_have_different_texts(one: str, other: str) -> None:
    """Nothing is rounded away."""
    same = key_text({"N": one}) == key_text({"N": other})
    assert same == (Decimal(one) == Decimal(other))


@pytest.mark.parametrize(
    ("av", "text"),
    [
        ({"S": "1E+5"}, "1E+5"),
        ({"S": " ไทย "}, " ไทย "),
        ({"N": "1E+5"}, "100000"),
        ({"N": "-0.0"}, "0"),
        ({"N": "1.50"}, "1.5"),
        ({"N": "1E-7"}, "0.0000001"),
        ({"N": "-1.2345678901234567890123456789012345678"},) * 2,
        ({"B": "QQ=="}, "QQ=="),
        ({"B": "QR=="}, "QQ=="),  # the same byte, written with a spare bit set
        ({"B": b"A"}, "QQ=="),
    ],
)
def test_a_key_has_one_plain_text(av: dict[str, Any], text: str | dict[str, str]) -> None:
    """Ids are made of it."""
    assert key_text(av) == (text if isinstance(text, str) else text["N"])


@pytest.mark.parametrize("av", [{"BOOL": True}, {"L": []}, {"NULL": True}, {"SS": ["a"]}])
def test_only_three_types_can_be_a_key(av: dict[str, Any]) -> None:
    """DynamoDB has no others."""
    with pytest.raises(InvalidImage, match=f"S, N or B, found {next(iter(av))}$"):
        key_text(av)


def found(strategy: st.SearchStrategy[Any], wrong: Callable[[Any], bool]) -> bool:
    """Whether as many cases as a short run has are enough to find something wrong."""
    try:
        find(strategy, wrong, settings=PLANTED)
    except NoSuchExample:
        return False
    return True


def floating(text: str) -> Any:
    value = float(text)
    return int(value) if value.is_integer() else value


BUGS: list[tuple[str, Callable[[Image], bool], str, Any]] = [
    ("numbers through float", reads_as_boto3, "number", floating),
    (
        "the JSON parser's floats",
        reads_as_boto3,
        "number",
        lambda text: orjson.loads(str(float(text))),
    ),
    ("Decimals only", reads_as_boto3, "number", Decimal),
    ("whole numbers as floats", reads_as_boto3, "_exact_number", lambda text: float(text)),
    (
        "exponents cut off",
        reads_as_boto3,
        "_exact_number",
        lambda text: int(Decimal(text.split("E")[0])),
    ),
    ("rounded to 28 digits", reads_as_boto3, "_exact_number", lambda text: +Decimal(text)),
    ("long lists through float", reads_as_boto3, "_numbers", lambda texts: [*map(float, texts)]),
    ("SS as it comes", reads_as_boto3, "SS", lambda texts, _: texts),
    ("NS as it comes", reads_as_boto3, "NS", lambda texts, _: [*map(number, texts)]),
    ("NS in text order", reads_as_boto3, "NS", lambda texts, _: [*map(number, sorted(texts))]),
    ("NS by binary value", reads_as_boto3, "NS", lambda texts, _: sorted(map(number, texts))),
    ("BS as it comes", reads_as_boto3, "BS", lambda texts, _: texts),
    ("BOOL as a number", reads_as_boto3, "BOOL", lambda value, _: int(value)),
    ("NULL as no text", reads_as_boto3, "NULL", lambda _value, _depth: ""),
    ("L without its last", reads_as_boto3, "L", lambda avs, _: [*map(decode_value, avs[:3])]),
    ("B without padding", reads_as_boto3, "B", lambda text, _: text.rstrip("=")),
    ("bytes as they come", reads_bytes_as_base64, "B", lambda value, _: value),
    (
        "Decimals through float",
        writes_what_it_reads,
        "_fragment",
        lambda value: orjson.Fragment(repr(float(value))),
    ),
    ("Decimals as text", writes_what_it_reads, "_fragment", str),
    (
        "long ints through float",
        writes_what_it_reads,
        "_writable",
        lambda value, _path: json.loads(json.dumps(value, default=str), parse_int=float),
    ),
]


@pytest.mark.parametrize(
    ("law", "where", "bug"), [pytest.param(*bug, id=name) for name, *bug in BUGS]
)
def test_a_planted_bug_breaks_a_law(
    law: Callable[[Image], bool], where: str, bug: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The laws are sharp enough, and the cases varied enough, to see each of these mistakes."""
    if where in attributes._READERS:
        monkeypatch.setitem(attributes._READERS, where, bug)
    else:
        monkeypatch.setattr(attributes, where, bug)
    assert found(images(), lambda image: not law(image))


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda av: av["N"], id="as it comes"),
        pytest.param(lambda av: str(Decimal(av["N"])), id="with exponents"),
        pytest.param(lambda av: f"{Decimal(av['N']):f}", id="with needless zeros"),
        pytest.param(lambda av: f"{Decimal(av['N']).normalize():f}", id="28 digits"),
        pytest.param(lambda av: str(number(av["N"])), id="as Python writes floats"),
        pytest.param(lambda av: f"{Decimal(av['N']):f}".rstrip("0").rstrip("."), id="10 is 1"),
    ],
)
def test_a_planted_bug_splits_or_joins_keys(write: Callable[[dict[str, Any]], str]) -> None:
    """Each of these made a second document of one item, or one document of two."""
    assert found(spellings(), lambda pair: not one_text_each(write, pair))
