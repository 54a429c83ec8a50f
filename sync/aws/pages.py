"""Scans and queries of tables, page by page."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from sync.aws.clients import Clients, failures
from sync.aws.keys import AttributeMap
from sync.aws.wire import plain, wire
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
    return plain(answer, answer["Items"]), last_key(answer)


def last_key(answer: Mapping[str, Any]) -> AttributeMap | None:
    """The last key that was read for the page *answer*; None if it is the last page."""
    last = answer.get("LastEvaluatedKey")
    return plain(answer, [last])[0] if last else None


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
