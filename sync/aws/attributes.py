"""Decodes DynamoDB's AttributeValues to Python values, and writes these as JSON.

    S     str                      SS    sorted list of str
    B     base64 text              BS    sorted list of base64 text
    N     int if integral,         NS    list in numeric order
          else float if exact      BOOL  bool
          (15 digits), else        NULL  None
          Decimal                  L, M  list, dict

A number has at most 38 significant digits, and is 0 or has a magnitude from 1E-130 to 9.9…E+125
(DynamoDB developer guide, "Data types"). Python's parsers accept more: blanks, underscores, NaN,
digits of other scripts.

A malformed image raises InvalidImage, which names the attribute's path and the fault, never the
value. A second, slower pass finds the path, so that valid images do not pay for it. Every item and
document passes through here, so speed matters (benchmarks/codec.py).
"""

import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from sync.errors import InvalidImage

AttributeValue = Mapping[str, Any]
Path = tuple[str | int, ...]

MAX_DEPTH = 64
"""The deepest nesting read or written: twice DynamoDB's 32 levels, a quarter of orjson's 254."""

_MANY = 8  # from this length on, a list of numbers is parsed faster as a whole (measured)
_NUMBER = re.compile(r"[+-]?(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE][+-]?\d+)?", re.ASCII)
_PLAIN_NUMBERS = re.compile(r"[-0-9.,]*")
_is_ascii, _loads, _strip = str.isascii, orjson.loads, str.strip  # str's refuse other types
_MALFORMED = (InvalidImage, LookupError, TypeError, ValueError)  # raised for a malformed image


def decode(image: Mapping[str, AttributeValue]) -> dict[str, Any]:
    """The values of *image*, `{"name": {"S": "…"}}`, by name. Raises InvalidImage."""
    try:
        return _map(image, 0)
    except _MALFORMED as error:
        raise next(_faults({"M": image}, ()), error) from None


def decode_value(av: AttributeValue) -> Any:
    """The value of one AttributeValue, `{"S": "…"}`. Raises InvalidImage."""
    try:
        return _list([av], -1)[0]
    except _MALFORMED as error:
        raise next(_faults(av, ()), error) from None


def dumps(value: Any) -> bytes:
    """One line of JSON of *value*, which `decode` returned or a Pydantic model holds.

    Decimals and ints of any size are exact. Raises InvalidImage for lone surrogates, NaN,
    Infinity and deep nesting; TypeError for a type that JSON lacks.
    """
    line = _line(value)
    if (nulls := line.count(b"null")) and nulls != _nones(value):
        _writable(value, ())  # orjson writes NaN and Infinity as null: this raises for them
    return line


def key_text(av: AttributeValue) -> str:
    """The canonical text of a key attribute: equal keys have equal texts. Raises InvalidImage.

    S unchanged; N in plain decimal, without exponent, superfluous zeros or "-0"; B in base64.
    """
    if av.__class__ is dict and len(av) == 1 and "S" in av:
        text = av["S"]
        if text.__class__ is str and text.isascii():
            return text  # the fast path: nearly every key, several times a record
    value = decode_value(av)
    ((tag, raw),) = av.items()
    if tag == "N":
        return str(value) if isinstance(value, int) else f"{Decimal(raw):f}".rstrip("0")
    if tag == "B":
        return b64encode(a2b_base64(value)).decode()  # spare bits of its last character may differ
    if tag == "S":
        return value  # type: ignore[no-any-return] # an S is a str
    raise InvalidImage(f"expected a key of type S, N or B, found {tag}")


def number(text: str) -> int | float | Decimal:
    """The number that an N holds. Raises InvalidImage."""
    value: Any
    try:  # JSON's grammar for numbers is stricter than float()'s, but allows blanks at the ends
        value = _loads(text) if _strip(text) == text else None
    except (TypeError, ValueError):
        return _exact_number(text)
    if value.__class__ is int:
        return value
    if (
        value.__class__ is float
        and len(text) < 17  # so a fraction has at most 15 digits, which a float represents exactly
        and not value.is_integer()
        and not -1e-130 <= value <= 1e-130
    ):
        return value
    return _exact_number(text)


def _map(avs: Any, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH or not isinstance(avs, dict):
        raise _expected("a map", avs, depth)
    values: dict[str, Any] = {}
    for name, av in avs.items():
        if not _is_ascii(name):
            _text(name)
        if "S" in av and len(av) == 1:
            value = av["S"]
            if not _is_ascii(value):
                _text(value)
            values[name] = value
        elif "N" in av and len(av) == 1:
            values[name] = number(av["N"])
        else:
            (tag,) = av
            values[name] = _READERS[tag](av[tag], depth + 1)
    return values


def _list(avs: Any, depth: int) -> list[Any]:
    if depth > MAX_DEPTH or not isinstance(avs, list):
        raise _expected("a list", avs, depth)
    if len(avs) >= _MANY and "N" in avs[0]:
        texts = [av["N"] for av in avs if "N" in av]
        if sum(map(len, avs)) == len(avs) == len(texts):
            return _numbers(texts)
    values: list[Any] = []
    for av in avs:
        if "S" in av and len(av) == 1:
            value = av["S"]
            if not _is_ascii(value):
                _text(value)
            values.append(value)
        elif "N" in av and len(av) == 1:
            values.append(number(av["N"]))
        else:
            (tag,) = av
            values.append(_READERS[tag](av[tag], depth + 1))
    return values


def _numbers(texts: list[str]) -> list[int | float | Decimal]:
    """`number` of each of *texts*; parsed together if all are short and plain."""
    line = ",".join(texts)
    if _PLAIN_NUMBERS.fullmatch(line) and max(map(len, texts)) < 17:
        try:
            values = _loads(f"[{line}]")
        except ValueError:  # such as 007
            values = []
        if len(values) == len(texts):  # more if a text holds a comma
            return [v if v.__class__ is int or not v.is_integer() else int(v) for v in values]
    return [number(text) for text in texts]


def _exact_number(text: Any) -> int | float | Decimal:
    if not isinstance(text, str):
        raise _expected("a number's text", text)
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise InvalidImage("not a decimal number")
    digits = (match[1] + (match[2] or "")).strip("0")
    if not digits:
        return 0
    if len(digits) > 38:
        raise InvalidImage(f"{len(digits)} significant digits, where 38 are the limit")
    try:
        value = Decimal(text)
    except InvalidOperation:  # the exponent is beyond any Decimal's
        value = Decimal("Infinity")
    if not (value.is_finite() and -130 <= value.adjusted() <= 125):
        raise InvalidImage("a number outside 1E-130 to 9.9…E+125")
    if (whole := int(value)) == value:
        return whole
    return float(text) if len(digits) <= 15 else value


def _set_of(
    read: Callable[[Any], Any], key: Callable[[Any], Any] | None = None
) -> Callable[[Any, int], list[Any]]:
    """A reader of sets: the members, each as *read* returns it, sorted by *key*."""

    def read_set(values: Any, _depth: int) -> list[Any]:
        if not isinstance(values, list):
            raise _expected("a list", values)
        return sorted([read(value) for value in values], key=key)

    return read_set


def _order(value: int | float | Decimal) -> int | Decimal:
    """The sort key of a number: a float's decimal text, since its binary value is not exact."""
    return Decimal(repr(value)) if isinstance(value, float) else value


def _text(value: Any, _depth: int = 0) -> str:
    if not isinstance(value, str):
        raise _expected("a string", value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidImage(f"a lone surrogate at character {error.start}") from None
    return value


def _binary(value: Any, _depth: int = 0) -> str:
    if not isinstance(value, str):
        raw = getattr(value, "value", value)  # boto3's clients have bytes, its tables a Binary
        if not isinstance(raw, bytes | bytearray):
            raise _expected("base64 text", value)
        return b64encode(raw).decode()
    try:
        a2b_base64(value, strict_mode=True)
    except ValueError as error:
        raise InvalidImage(f"not base64: {error}") from None
    return value


def _boolean(value: Any, _depth: int) -> bool:
    if not isinstance(value, bool):
        raise _expected("true or false", value)
    return value


def _null(value: Any, _depth: int) -> None:
    if value is not True:
        raise InvalidImage("a NULL that is not true")


_READERS: dict[str, Callable[[Any, int], Any]] = {
    "S": _text,
    "N": lambda text, _depth: number(text),
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "M": _map,
    "L": _list,
    "SS": _set_of(_text),
    "NS": _set_of(number, _order),
    "BS": _set_of(_binary),
}


def _faults(av: Any, path: Path) -> Iterator[InvalidImage]:
    """The faults of *av*, whose path is *path*."""
    if not isinstance(av, Mapping):
        yield _at(path, _expected("an attribute value", av))
        return
    if len(av) != 1:
        yield _at(path, f"expected one type, found {len(av)}")
        return
    ((tag, value),) = av.items()
    if tag not in _READERS:
        yield _at(path, f"unknown type {tag!r:.20}")
    elif tag == "M" and isinstance(value, dict) and len(path) <= MAX_DEPTH:
        for name, inner in value.items():
            yield from _faults({"S": name}, (*path, name))
            yield from _faults(inner, (*path, name))
    elif tag in ("L", "SS", "NS", "BS") and isinstance(value, list) and len(path) <= MAX_DEPTH:
        for index, inner in enumerate(value):
            yield from _faults(inner if tag == "L" else {tag[0]: inner}, (*path, index))
    else:
        try:
            _READERS[tag](value, len(path))
        except InvalidImage as error:
            yield _at(path, error)


def _line(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=_fragment)
    except TypeError:  # an int over 64 bits, or a value that JSON lacks
        return orjson.dumps(_writable(value, ()), default=_fragment)


def _nones(value: Any) -> int:
    """How many values of the dict *value* are None, nested ones not counted."""
    return list(value.values()).count(None) if isinstance(value, dict) else 0


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(f"JSON has no place for {type(value).__name__}")


def _writable(value: Any, path: Path) -> Any:
    """*value* with ints over 64 bits as JSON fragments, since orjson does not write them.

    Raises InvalidImage for a value that JSON cannot express.
    """
    if isinstance(value, dict | list | tuple) and len(path) > MAX_DEPTH:
        raise _at(path, _expected("a value", value, len(path)))
    if isinstance(value, dict):
        return {
            _writable(name, (*path, name)): _writable(item, (*path, name))
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_writable(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, str):
        for fault in _faults({"S": value}, path):
            raise fault
    if isinstance(value, float | Decimal) and not Decimal(value).is_finite():
        raise _at(path, "JSON has no place for NaN and Infinity")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(Decimal(value)))  # str(int) raises over 4,300 digits
    return value


def _expected(what: str, value: Any, depth: int = 0) -> InvalidImage:
    if depth > MAX_DEPTH:
        return InvalidImage(f"nested more than {MAX_DEPTH} levels deep")
    return InvalidImage(f"expected {what}, found {type(value).__name__}")


def _at(path: Path, reason: object) -> InvalidImage:
    """An error of *reason* at *path*, in text that can be encoded as UTF-8."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part:.80}" for part in path]
    place = "".join(parts).removeprefix(".").encode("utf-8", "backslashreplace").decode()
    return InvalidImage(f"{place}: {reason}" if place else str(reason))
