"""Attributes as boto3 has them, and as DynamoDB sends them.

DynamoDB and stream records have binary values as base64 text, boto3 as bytes. botocore walks over
every value of an answer to change that, which takes 40 % of a backfill's CPU time if it is then
undone (`python -m benchmarks backfill`). A client that went through `read_plainly` leaves it out.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from sync.aws.keys import AttributeMap

_READS: Final = ("Scan", "Query", "BatchGetItem")
_PLAIN: Final = "Plain"  # in an answer: its binary values are text


def read_plainly(dynamodb: Any) -> None:
    """Let the client *dynamodb* return items as DynamoDB sends them.

    botocore still makes the requests, repeats them, and translates errors.
    """
    for operation in _READS:
        dynamodb.meta.events.register(f"before-parse.dynamodb.{operation}", _parse)


def _parse(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Called by botocore with each answer; what it parses afterwards is empty.

    It has to parse errors, and a body that is no JSON: it sees by the CRC that it is damaged.
    """
    if response_dict["status_code"] != 200:
        return
    try:
        answer = orjson.loads(response_dict["body"])
    except orjson.JSONDecodeError:
        return
    customized_response_dict.update(answer, **{_PLAIN: True})
    response_dict["body"] = b"{}"


def plain(answer: Mapping[str, Any], items: Iterable[AttributeMap]) -> list[AttributeMap]:
    """*items* of *answer* as a stream record has them: binary values as base64 text."""
    if answer.get(_PLAIN):
        return list(items)
    return [{name: _text(av) for name, av in item.items()} for item in items]


def wire(keys: AttributeMap) -> dict[str, dict[str, Any]]:
    """Key attributes as boto3 takes them: binary values as bytes, not base64 text."""
    return {
        name: {"B": base64.b64decode(av["B"])} if "B" in av else dict(av)
        for name, av in keys.items()
    }


def _text(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_text(element) for element in value]
    if isinstance(value, dict):
        return {name: _text(inner) for name, inner in value.items()}
    return value
