"""What a batch handler answers to Lambda (ReportBatchItemFailures)."""

from collections.abc import Iterable
from typing import TypedDict


class ItemFailure(TypedDict):
    itemIdentifier: str


class BatchResponse(TypedDict):
    """What is to come again: from the lowest sequence number on for a stream, these messages for
    a queue. Empty: all is done."""

    batchItemFailures: list[ItemFailure]


def failures_of(identifiers: Iterable[str]) -> BatchResponse:
    return {"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}
