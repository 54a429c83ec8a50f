"""A batch handler's answer to Lambda: which items failed (ReportBatchItemFailures)."""

from collections.abc import Iterable
from typing import TypedDict


class ItemFailure(TypedDict):
    """A failed item: a stream record's sequence number, or a message's id."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """The items that failed; empty if all succeeded.

    A stream delivers again from the lowest sequence number on, a queue exactly these messages.
    """

    batchItemFailures: list[ItemFailure]


def failures_of(identifiers: Iterable[str]) -> BatchResponse:
    """The response that reports the items of *identifiers* as failed."""
    return {"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}
