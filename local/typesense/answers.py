"""JSON as the server reads and writes it, and its two ways of saying no."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

Json = Any
"""What `json.loads` gives: dict, list, str, int, float, bool or None."""

Document = dict[str, Json]

_JSON = "application/json; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"


class Refusal(Exception):
    """The server says no: an HTTP status, or the code of an import's line, and its text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BadJson(Exception):
    """Not JSON, as the server's parser sees it; the message resembles the parser's own."""


class Answer(NamedTuple):
    """A whole HTTP answer."""

    status: int
    body: bytes
    content_type: str = _JSON


def answer(value: Json, status: int = 200) -> Answer:
    """*value* as a JSON body."""
    return Answer(status, dump(value).encode())


def text(lines: str) -> Answer:
    """What import and export answer with."""
    return Answer(200, lines.encode(), _TEXT)


def refuse(code: int, message: str) -> Answer:
    """An error's body.

    The server puts the message between quotes as it stands (http_data.h), so one that holds a
    quote, such as an id can, is not JSON: clients have to live with that.
    """
    return Answer(code, f'{{"message": "{message}"}}'.encode())


def dump(value: Json) -> str:
    """One line, without blanks, keys sorted: the server keeps objects as sorted maps."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def parse(source: str | bytes) -> Json:
    """JSON with the server's numbers: integers of 64 bits, all others doubles. Raises BadJson."""
    try:
        if isinstance(source, bytes):
            source = source.decode()
        value = json.loads(
            source, parse_int=_integer, parse_float=_double, parse_constant=_no_constant
        )
        dump(value).encode()  # a lone surrogate passes Python's parser, but not the server's
    except json.JSONDecodeError as error:
        raise BadJson(
            f"[json.exception.parse_error.101] parse error at line {error.lineno},"
            f" column {error.colno}: {error.msg}"
        ) from error
    except UnicodeError as error:
        raise BadJson(
            "[json.exception.parse_error.101] invalid string: ill-formed UTF-8"
        ) from error
    return value


def parse_object(source: str | bytes) -> dict[str, Json]:
    """The JSON object that a request has for a body. Raises Refusal."""
    try:
        value = parse(source)
    except BadJson as error:
        raise Refusal(400, "Bad JSON.") from error
    if not isinstance(value, dict):
        raise Refusal(400, "Bad JSON.")
    return value


def flag(params: Mapping[str, str], name: str) -> bool:
    """Whether a query parameter says `true`."""
    return params.get(name) == "true"


def _integer(digits: str) -> int | float:
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else _double(digits)


def _double(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise BadJson(f"[json.exception.out_of_range.406] number overflow parsing '{digits}'")
    return number


def _no_constant(name: str) -> float:
    raise BadJson(f"[json.exception.parse_error.101] parse error: unexpected {name}")
