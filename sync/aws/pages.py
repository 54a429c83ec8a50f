"""Scans and queries of tables, page by page."""

from collections.abc import Iterator
from typing import Any, Literal

from sync.aws.clients import Clients, failures
from sync.aws.items import text_only, wire
from sync.aws.keys import AttributeMap
from sync.errors import Unavailable
from sync.runtime.deadline import Deadline


def page(
    clients: Clients, how: Literal["scan", "query"], start: AttributeMap | None, **request: Any
) -> tuple[list[AttributeMap], AttributeMap | None]:
    """One page of *request*, after the key *start*: its rows, and the last key that was read.

    The next page starts after that key; None means that this page is the last. Reads consistently
    unless *request* sets ConsistentRead. Raises Retry.
    """
    request = {"ConsistentRead": True, **request}
    if start is not None:
        request["ExclusiveStartKey"] = wire(start)
    with failures(f"reading {request['TableName']}"):
        answer = getattr(clients("dynamodb"), how)(**request)
    last = answer.get("LastEvaluatedKey")
    return [text_only(row) for row in answer["Items"]], last and text_only(last)


def pages(
    clients: Clients, how: Literal["scan", "query"], deadline: Deadline, **request: Any
) -> Iterator[AttributeMap]:
    """All rows of *request*. Raises Retry, also if *deadline* comes first."""
    start = None
    while True:
        if not deadline.remaining():
            raise Unavailable(f"{request['TableName']}: not read to its end in the time given")
        rows, start = page(clients, how, start, **request)
        yield from rows
        if start is None:
            return
