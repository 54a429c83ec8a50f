"""A document as Typesense is sent it, and as it is read back.

Typesense keeps numbers as 64-bit integers or doubles, and drops nulls. DynamoDB's numbers have 38
digits. So a document that would lose something carries itself, whole, as the text of a field that
no schema declares: it is stored, but takes no memory and can't be searched. All others, nearly
all, are sent as they are.
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

# A quick look: most documents hold no null and no number of more than 15 digits or with exponent.
_SUSPECT: Final = re.compile(rb"null|\d[\d.]{15}|\d[eE]")


def encode(op: Op) -> bytes:
    """The line of *op* in an import. Raises Refused for what would fail or alter other lines."""
    check_id(op.id)
    body = op.body or b""
    if len(body) > MAX_BODY_BYTES:
        raise Refused(f"the body has {len(body):,} bytes, more than {MAX_BODY_BYTES:,}")
    if not (body.startswith(b"{") and body.endswith(b"}")):
        raise Refused("the body is no JSON object")
    if b"\n" in body:
        raise Refused("the body has more than one line")
    # Typesense drops bytes that are not UTF-8 and says that all is well. A document of some 18,000
    # levels ends its process (0.24.1), and again at each start, when it reads what it was sent;
    # this parser takes 1,024, DynamoDB nests 32.
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"the body is not JSON: {error}") from error
    # Ours come last, where they win against fields of the same names, and end the line.
    own = [f'"id":{json.dumps(op.id)}']
    # An open model may have attributes of the names that are ours.
    if "id" in found or EXACT in found or (_SUSPECT.search(body) and _loses(body)):
        own.insert(0, f'"{EXACT}":{json.dumps(body.decode())}')
    comma = b"" if body == b"{}" else b","
    return b"%b%b%b}" % (body[:-1], comma, ",".join(own).encode())


def decode(held: Mapping[str, Any]) -> Any:
    """The document that was sent, from what Typesense holds; numbers as int and Decimal."""
    if EXACT in held:
        return json.loads(held[EXACT], parse_float=Decimal)
    return {name: value for name, value in held.items() if name != "id"}


def _loses(body: bytes) -> bool:
    """Whether Typesense would hold something else than *body* says."""
    inexact = False

    def integer(digits: str) -> int:
        nonlocal inexact
        inexact |= not -(2**63) <= int(digits) < 2**64  # others it reads as doubles
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
