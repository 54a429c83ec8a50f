"""Documents on their way to Typesense and back."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.aws.keys import Source
from sync.errors import Refused
from sync.sinks.typesense.documents import EXACT, decode, encode
from sync.writing.op import Op


def op(body: bytes | None, id_: str = "1") -> Op:
    return Op("typesense", Source("t", {}), "c", id_, body, 1)


def as_typesense(line: bytes) -> Any:
    """A line as the server keeps it: others than 64-bit integers are doubles, nulls are dropped."""

    def integer(digits: str) -> int | float:
        number = int(digits)
        return number if -(2**63) <= number < 2**64 else float(digits)

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: kept(each) for name, each in value.items() if each is not None}
        if isinstance(value, list):
            return [kept(each) for each in value if each is not None]
        return value

    return json.loads(json.dumps(kept(json.loads(line, parse_int=integer))), parse_float=Decimal)


numbers = st.one_of(
    st.integers(-(10**38), 10**38),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.recursive(
    st.none() | st.booleans() | st.text(st.characters(codec="utf-8"), max_size=5) | numbers,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def written(value: Any) -> str:
    """JSON with every digit."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), values, max_size=4))
def test_what_is_read_back_is_what_was_sent(document: dict[str, Any]) -> None:
    """To the last of 38 digits, and with its nulls, though Typesense keeps neither."""
    body = written(document).encode()
    held = as_typesense(encode(op(body, "é")))
    assert held["id"] == "é"
    assert decode(held) == json.loads(body, parse_float=Decimal)


@pytest.mark.parametrize("name", ["id", EXACT])
def test_an_attribute_of_a_name_that_is_ours_is_kept(name: str) -> None:
    """An open model's document has all attributes of the item."""
    body = json.dumps({name: "the item's", "other": 1}).encode()
    held = as_typesense(encode(op(body, "1")))
    assert held["id"] == "1"
    assert decode(held) == {name: "the item's", "other": 1}


@pytest.mark.parametrize(
    ("body", "loses"),
    [
        (b'{"n":19.99,"at":"2026-01-02T03:04:05.123456789Z","t":"null"}', False),
        (b'{"n":18446744073709551615}', False),
        (b'{"n":18446744073709551616}', True),
        (b'{"n":-9223372036854775809}', True),
        (b'{"n":0.1234567890123456}', False),
        (b'{"n":0.12345678901234567}', True),
        (b'{"n":1E-130}', False),
        (b'{"n":1234567890123456}', False),
        (b'{"n":-1234567890123456}', False),
        (b'{"n":-9223372036854775808}', False),
        (b'{"n":18446744073709551616,"m":1234567890123456}', True),
        (b'{"n":0.12345678901234567,"m":0.1234567890123456}', True),
        (b'{"a":[{"b":null}]}', True),
        (b"{}", False),
    ],
)
def test_only_what_would_lose_something_is_carried_twice(body: bytes, loses: bool) -> None:
    """Nearly no document is."""
    assert (EXACT in json.loads(encode(op(body)))) == loses


@pytest.mark.parametrize(
    ("id_", "body", "why"),
    [
        ("", b"{}", "the id has 0 bytes, not 1 to 512"),
        ("x" * 513, b"{}", "the id has 513 bytes, not 1 to 512"),
        ("\ud800", b"{}", "the id holds half of a surrogate pair, so it has no UTF-8 form"),
        ("1", b"", "the body is no JSON object"),
        ("1", b"[1]", "the body is no JSON object"),
        ("1", b'{"a":1}\n{"a":2}', "the body has more than one line"),
        ("1", b'{"a":null', "the body is no JSON object"),
        ("1", b'{"a":null,}', "the body is not JSON: "),
        ("1", b'{"a":"\xff null"}', "the body is not JSON: "),
        ("1", b'{"a":"\xff"}', "the body is not JSON: "),  # Typesense would drop the byte
        ("1", b'{"a":"\xed\xa0\x80"}', "the body is not JSON: "),
        ("1", b'{"a":"\\ud800"}', "the body is not JSON: "),
        (
            "1",
            b'{"a":' * 18_500 + b"1" + b"}" * 18_500,
            "the body is not JSON: ",
        ),  # … and end at this
        ("1", b'{"a":' + b"[" * 80_000 + b"]" * 80_000 + b"}", "the body is not JSON: "),
        (
            "1",
            b'{"a":"%b"}' % (b"x" * 9_999_993),
            "the body has 10,000,001 bytes, more than 10,000,000",
        ),
    ],
    ids=range(15),
)
def test_what_would_alter_another_line_is_refused(id_: str, body: bytes, why: str) -> None:
    """Or what can't be stored at all; the error says why, without the document."""
    with pytest.raises(Refused) as caught:
        encode(op(body, id_))
    assert str(caught.value).startswith(why)
    if not why.endswith(" "):
        assert str(caught.value) == why


def test_a_document_of_almost_too_many_levels_is_refused() -> None:
    """The parser that looks for nulls takes fewer than the one that looks for bad JSON."""
    with pytest.raises(Refused) as caught:
        encode(op(b'{"a":' + b"[" * 1_010 + b"null" + b"]" * 1_010 + b"}"))
    assert str(caught.value) == "the body is not JSON: RecursionError"


def test_a_document_of_the_most_bytes_is_sent() -> None:
    """As it is, with its id."""
    body = b'{"a":"%b"}' % (b"x" * 9_999_992)
    assert encode(op(body)) == body[:-1] + b',"id":"1"}'


def test_a_field_called_id_does_not_move_the_document() -> None:
    """Of two keys of one name Typesense takes the last, and that is ours."""
    assert json.loads(encode(op(b'{"id":"elsewhere"}')))["id"] == "1"
