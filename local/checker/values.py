"""The values in items and in documents, and their differences."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import Binary, TypeDeserializer

from local.errors import LocalError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LONGEST_VALUE: Final = 60  # characters of a value shown in a difference
_read_attribute: Final = TypeDeserializer().deserialize


class Unreadable(LocalError):
    """A table, a mapping file or a server can't be read; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Members:
    """A DynamoDB set; in the document it is a list, in any order, with each member once."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class JsonText:
    """A value that is a text in the document: the value's JSON, with its names in any order."""

    value: Any


def scan(dynamodb: "DynamoDBClient", table: str) -> Iterator[Mapping[str, Any]]:
    """Every item of *table*, by consistent reads, as boto3's client returns it."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def item_values(image: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item that boto3's client returned, such as `{"price": {"N": "1"}}`."""
    return {name: _value(_read_attribute(attribute)) for name, attribute in image.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Binary):
        return base64.b64encode(value.value).decode()  # type: ignore[attr-defined]  # stubs lack it
    if isinstance(value, set):
        return Members(tuple(_value(member) for member in value))
    if isinstance(value, list):
        return [_value(member) for member in value]
    if isinstance(value, dict):
        return {name: _value(member) for name, member in value.items()}
    return value


def exact_json(text: str) -> Any:
    """Parse JSON, with every number as an exact Decimal."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=str)


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """A text for each difference between *actual*, of a document, and *expected*, of an item."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        dot = f"{path}." if path else ""
        for name in sorted(expected.keys() | actual.keys()):
            if name not in actual:
                yield f"{dot}{name}: not in the document"
            elif name not in expected:
                yield f"{dot}{name}: only in the document"
            else:
                yield from differences(expected[name], actual[name], f"{dot}{name}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (ours, theirs) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(ours, theirs, f"{path}[{index}]")
    elif not _equal(expected, actual):
        yield f"{path}: {_show(expected)} in the table, {_show(actual)} in the document"


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, Members):
        if not isinstance(actual, list) or len(actual) != len(expected.values):
            return False
        left = list(actual)
        for member in expected.values:
            found = next((n for n, other in enumerate(left) if _equal(member, other)), None)
            if found is None:
                return False
            del left[found]
        return True
    if isinstance(expected, JsonText):
        try:
            return not any(differences(expected.value, exact_json(actual)))
        except (TypeError, ValueError):
            return False
    # The types are compared too, since True == 1 in Python. Decimal("1") equals Decimal("1.0").
    return type(expected) is type(actual) and bool(expected == actual)


def _show(value: Any) -> str:
    if isinstance(value, Members):
        value = sorted(map(str, value.values))
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
