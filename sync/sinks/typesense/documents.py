"""Encodes documents for Typesense, and decodes them.

Typesense keeps numbers as 64-bit integers or doubles, and drops nulls. DynamoDB's numbers have 38
digits. So a document that would lose something is sent with one more field, which holds its whole
JSON as text. No schema declares that field: it is stored, but takes no memory and is not searched.
Nearly all documents are sent without it.
"""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

from sync.errors import Refused
from sync.writing.ids import check_id
from sync.writing.op import Op

EXACT: Final = "_exact"
MAX_BODY_BYTES: Final = 10_000_000

# Most documents hold neither null nor a number of more than 15 digits or with an exponent.
_SUSPECT: Final = re.compile(rb"null|\d[\d.]{15}|\d[eE]")


def encode(op: Op) -> bytes:
    """The line of *op* in an import. Raises Refused if it would affect other lines."""
    check_id(op.id)
    body = op.body or b""
    if len(body) > MAX_BODY_BYTES:
        raise Refused(f"the body has {len(body):,} bytes, more than {MAX_BODY_BYTES:,}")
    if not (body.startswith(b"{") and body.endswith(b"}")):
        raise Refused("the body is no JSON object")
    if b"\n" in body:
        raise Refused("the body has more than one line")
    # Typesense drops bytes that are not UTF-8 without an error. A document of some 18,000 levels
    # crashes it (0.24.1), and again at each start, when it replays its log; this parser accepts
    # 1,024 levels, DynamoDB 32.
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the body is not JSON: {error}") from error
    # Our own fields come last, so they override the document's fields of the same names.
    own = [f'"id":{json.dumps(op.id)}']
    # The items of an open model may have attributes with these names.
    if "id" in found or EXACT in found or (_SUSPECT.search(body) and _loses(body)):
        own.append(f'"{EXACT}":{json.dumps(body.decode())}')
    comma = b"" if body == b"{}" else b","
    return b"%b%b%b}" % (body[:-1], comma, ",".join(own).encode())


def decode(held: Mapping[str, Any]) -> Any:
    """The document that was sent, from what Typesense returns; numbers are int or Decimal."""
    if EXACT in held:
        return json.loads(held[EXACT], parse_float=Decimal)
    return {name: value for name, value in held.items() if name != "id"}


def _loses(body: bytes) -> bool:
    """Whether Typesense would store something else than *body*. Raises Refused."""
    inexact = False

    def integer(digits: str) -> int:
        nonlocal inexact
        inexact |= not -(2**63) <= int(digits) < 2**64  # it reads others as doubles
        return 0

    def fraction(digits: str) -> int:
        nonlocal inexact
        inexact |= Decimal(repr(float(digits))) != Decimal(digits)
        return 0

    try:
        waiting = [json.loads(body, parse_int=integer, parse_float=fraction)]
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is not JSON: {type(error).__name__}") from error
    while waiting and not inexact:
        found = waiting.pop()
        inexact = found is None
        if isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found
    return inexact
