"""DynamoDB images of every kind, and the laws that the attribute codec obeys on them.

An image is read off drawn bytes: one draw for each case keeps Hypothesis fast enough for 100,000
of them, and its shrinking still works, since no bytes left means the simplest choice.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeDeserializer
from hypothesis import strategies as st

from sync.aws.attributes import decode, dumps

Image = dict[str, dict[str, Any]]

NUMBERS = [
    *("0", "-0", "0.0", "0E+5", "1.0", "5.", ".5", "+5", "007", "-0.50", "1E+5", "1.5e1", "12E-1"),
    *("0.1", "0.1000000000000000000001", "1E-7", "-273.15", "9007199254740993", "1e0", "-1E-14"),
    *("999999999999999", "0.12345678901234", "0.123456789012345", "0.1234567890123456"),
    *(
        "9223372036854775807",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
    ),
    *("12345678901234567890123456789012345678", "-1.2345678901234567890123456789012345678"),
    *("1E+125", "-1E+125", "9.9999999999999999999999999999999999999E+125", "1E-130", "-1.5E-130"),
]
TEXTS = [
    *("", "a", "two words", 'a "quoted" \\ text', "line\nbreak\ttab", "\x00", "null", "1.50"),
    *("naïve café", "ไทย ภาษา", "日本", "🛩️", "\u2028", "\uffff", "\U0010ffff", "é", "e\u0301"),
]


class Choices:
    """Choices read off *data*; 0 once it is used up."""

    def __init__(self, data: bytes) -> None:
        self._data = iter(data)

    def below(self, limit: int) -> int:
        return next(self._data, 0) % limit

    def of(self, options: list[str]) -> str:
        return options[self.below(len(options))]

    def digits(self, count: int) -> str:
        return "".join([str(self.below(10)) for _ in range(count)])


def images() -> st.SearchStrategy[Image]:
    """Images as a Lambda event holds them: binary is base64 text."""
    return st.binary(min_size=200, max_size=200).map(image_from)


def image_from(data: bytes) -> Image:
    choices = Choices(data)
    return {_text(choices): _av(choices, depth=0) for _ in range(choices.below(12))}


def number_texts() -> st.SearchStrategy[str]:
    return st.binary(min_size=44, max_size=44).map(lambda data: _number(Choices(data)))


def _av(choices: Choices, depth: int) -> dict[str, Any]:
    kind = choices.below(16)
    match kind:
        case 0 | 1 | 2:
            return {"S": _text(choices)}
        case 3 | 4 | 5 | 6:
            return {"N": _number(choices)}
        case 7:
            return {"BOOL": choices.below(2) == 1}
        case 8:
            return {"NULL": True}
        case 9:
            return {"B": _binary(choices)}
        case 10:
            return {"SS": _distinct(choices, _text, str)}
        case 11:
            return {"NS": _number_set(choices)}
        case 12:
            return {"BS": _distinct(choices, _binary, str)}
        case 13:  # numbers alone, often enough of them to be read together
            return {"L": [{"N": _number(choices)} for _ in range(choices.below(14))]}
    if depth == 4:
        return {"S": ""}
    if kind == 14:
        return {"L": [_av(choices, depth + 1) for _ in range(choices.below(5))]}
    return {"M": {_text(choices): _av(choices, depth + 1) for _ in range(choices.below(5))}}


def _number(choices: Choices) -> str:
    match choices.below(8):
        case 0:
            return choices.of(NUMBERS)
        case 1 | 2:
            return str(choices.below(256))
        case 3 | 4:
            return f"{choices.below(256)}.{choices.below(100):02}"
        case 5:  # around the 15 digits that a float holds
            digits = choices.digits(13 + choices.below(5))
        case _:
            digits = choices.digits(1 + choices.below(38))
    sign = choices.of(["", "-"])
    match choices.below(3):
        case 0:
            return sign + digits
        case 1:
            point = choices.below(len(digits) + 1)
            return f"{sign}{digits[:point]}.{digits[point:]}"
    leading = len(digits.lstrip("0")) - 1
    if leading < 0:
        return "0"
    # Below 1E-128 boto3 has room for fewer digits than DynamoDB: the list above goes further.
    size = choices.below(254) - 128
    return f"{sign}{digits}E{size - leading:+}"


def _text(choices: Choices) -> str:
    match choices.below(4):
        case 0:
            return choices.of(TEXTS)
        case 1:
            code = choices.below(0x11) << 16 | choices.below(256) << 8 | choices.below(256)
            return "" if 0xD800 <= code < 0xE000 else chr(code)
    return "".join([chr(ord("a") + choices.below(26)) for _ in range(1 + choices.below(4))])


def _binary(choices: Choices) -> str:
    raw = bytes([choices.below(256) for _ in range(choices.below(6))])
    return b64encode(raw).decode()


def _distinct(
    choices: Choices, draw: Callable[[Choices], str], value: Callable[[str], Any]
) -> list[str]:
    texts = [draw(choices) for _ in range(choices.below(10))]
    return list({value(text): text for text in texts}.values())


def _number_set(choices: Choices) -> list[str]:
    texts = _distinct(choices, _number, Decimal)
    # A neighbour that no float can tell from the number itself: an order by binary value fails.
    near = [f"{text}{'0' * 19}1" for text in texts[:1] if re.fullmatch(r"-?\d{1,9}\.\d{1,9}", text)]
    return near + texts


def as_client(av: dict[str, Any]) -> dict[str, Any]:
    """The AttributeValue as boto3's clients have it: binary is bytes."""
    ((tag, value),) = av.items()
    if tag == "M":
        return {tag: {name: as_client(inner) for name, inner in value.items()}}
    if tag == "L":
        return {tag: [as_client(inner) for inner in value]}
    if tag == "B":
        return {tag: b64decode(value)}
    if tag == "BS":
        return {tag: [b64decode(text) for text in value]}
    return av


def by_boto3(image: Image) -> Any:
    """What TypeDeserializer makes of *image*, but for the differences, all of which are here:

    - a set is a sorted list;
    - binary is base64 text, which TypeDeserializer does not take from a Lambda event;
    - a number is an int, or else a float where 15 digits say it all, or else a Decimal.
    """
    client: Any = as_client({"M": image})  # the stubs know types by their exact shape
    return _plain(TypeDeserializer().deserialize(client))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, set):
        if all(isinstance(member, Decimal) for member in value):
            return [_plain(member) for member in sorted(value)]
        return sorted([_plain(member) for member in value])
    if isinstance(value, Binary):
        raw: bytes = vars(value)["value"]  # the stubs don't know what a Binary has
        return b64encode(raw).decode()
    if isinstance(value, Decimal):
        if value == int(value):
            return int(value)
        digits = "".join(map(str, value.as_tuple().digits)).strip("0")
        return float(value) if len(digits) <= 15 else value
    return value


def reads_as_boto3(image: Image) -> bool:
    """The values are boto3's: by repr, which tells 1 from True and from 1.0."""
    return repr(decode(image)) == repr(by_boto3(image))


def reads_bytes_as_base64(image: Image) -> bool:
    """It does not matter whether an image comes from a Lambda event or from a client."""
    return repr(decode(as_client({"M": image})["M"])) == repr(decode(image))


def writes_what_it_reads(image: Image) -> bool:
    """The JSON is one line and holds the values, to the last digit."""
    values = decode(image)
    line = dumps(values)
    read = json.loads(line, parse_float=Decimal)
    return b"\n" not in line and repr(_exact(read)) == repr(_exact(values))


LAWS = (reads_as_boto3, reads_bytes_as_base64, writes_what_it_reads)


def _exact(value: Any) -> Any:
    """*value* with every fraction as the Decimal it is written as, without needless zeros."""
    if isinstance(value, dict):
        return {name: _exact(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    if isinstance(value, float | Decimal):
        return Decimal(str(value)).normalize(Context(prec=38))
    return value
