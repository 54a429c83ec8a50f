"""Checks of requests that DynamoDB makes before it looks at any item (its developer guide)."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from typing import Any, Final

from botocore.exceptions import ClientError

MOST_WRITES: Final = 25
MOST_READS: Final = 100

# Developer guide, "Reserved words in DynamoDB". The list is read from a file that moto has.
_RESERVED: Final = frozenset(
    (files("moto") / "dynamodb/parsing/reserved_keywords.txt").read_text().split()
)
_SYNTAX: Final = frozenset(
    ("SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN", "SIZE", "CONTAINS")
)
_WORD: Final = re.compile(r"[#:]?\w+")


def refused(why: str) -> ClientError:
    """The error for a request that breaks a rule of the API."""
    return ClientError(
        {
            "Error": {"Code": "ValidationException", "Message": why},
            "ResponseMetadata": {"HTTPStatusCode": 400},  # type: ignore[typeddict-item]
        },
        "Simulated",
    )


def check_key(key: Mapping[str, Any], types: Mapping[str, str | None]) -> None:
    """Raise ClientError unless *key* has the key attributes and no others.

    *types* has the type of each key attribute, None if any will do.
    """
    if key.keys() != types.keys():
        raise refused(f"the key {sorted(key)} does not match the schema {sorted(types)}")
    for name, wanted in types.items():
        ((tag, value),) = key[name].items()
        if tag not in ("S", "N", "B") or wanted not in (None, tag):
            raise refused(f"the key attribute {name} is a {tag}")
        if value in ("", b""):
            raise refused(f"the key attribute {name} is empty")


def check_item(item: Mapping[str, Any], types: Mapping[str, str | None]) -> None:
    """Raise ClientError for an item without its keys, or with a value that can't be."""
    check_key({name: item[name] for name in types if name in item}, types)
    for value in item.values():
        _check_value(value)


def _check_value(value: Mapping[str, Any]) -> None:
    ((tag, inner),) = value.items()
    if tag == "N":
        _check_number(inner)
    elif tag == "M":
        for one in inner.values():
            _check_value(one)
    elif tag == "L":
        for one in inner:
            _check_value(one)
    elif tag in ("SS", "NS", "BS"):
        if not inner or len(set(inner)) < len(inner):
            raise refused(f"a {tag} is empty or holds a member twice")
        if tag == "NS":
            for number in inner:
                _check_number(number)


def _check_number(text: str) -> None:
    try:
        Decimal(text)
    except InvalidOperation:
        raise refused(f"{text!r} is no number") from None


def check_expressions(request: Mapping[str, Any]) -> None:
    """Raise ClientError for reserved words in expressions, and for names or values without use."""
    texts = [text for name, text in request.items() if name.endswith("Expression")]
    words = _words(" ".join(texts))
    if reserved := words & _RESERVED:
        raise refused(f"reserved words have to be #names: {', '.join(sorted(reserved))}")
    for part in ("ExpressionAttributeNames", "ExpressionAttributeValues"):
        if part in request and not request[part]:
            raise refused(f"{part} is empty")
        if unused := sorted(request.get(part, {}).keys() - words):
            raise refused(f"unused in expressions: {', '.join(unused)}")


@cache
def _words(text: str) -> frozenset[str]:
    """The words of expressions, names in capitals as the list of reserved words has them."""
    words = _WORD.findall(text)
    return frozenset(w if w[0] in "#:" else w.upper() for w in words if w.upper() not in _SYNTAX)


def check_query(request: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Raise ClientError unless the hash key, the first of *keys*, is to equal a value, and the
    filter is about other attributes."""
    hash_key, *_ = keys = list(keys)
    named = request.get("ExpressionAttributeNames", {})
    aliases = {alias for alias, name in named.items() if name == hash_key} | {hash_key}
    condition = request["KeyConditionExpression"]
    if not any(re.search(rf"(?<![#\w]){re.escape(a)}\s*=\s*:", condition) for a in aliases):
        raise refused(f"no {hash_key} = … in {condition!r}")
    words = _WORD.findall(request.get("FilterExpression", ""))
    filtered = {named.get(word, word) for word in words}
    if both := filtered & set(keys):
        raise refused(f"the filter names keys: {', '.join(sorted(both))}")


def check_batch(places: list[Any], most: int) -> None:
    """Raise ClientError for a batch of more than *most* items, or with one item twice."""
    if not 1 <= len(places) <= most:
        raise refused(f"{len(places)} items in a batch, and {most} are allowed")
    if len(set(places)) < len(places):
        raise refused("an item is in the batch twice")
