"""Lambda's rules that need no state: payloads, checkpoints, retries, and the pauses between them.

Each rule names the page of the Lambda guide that it comes from: with-ddb (WD), services-ddb-params
(PR), services-ddb-batchfailurereporting (PB), services-dynamodb-errors (ER). Where the pages are
silent, the rule says what it assumes.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from local.delivery.ports import Answered
from local.delivery.records import Record
from local.delivery.settings import INFINITE

PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024  # of one invocation, envelope included (WD)
DESTINATION_TRIES = 3
ENVELOPE = b'{"Records":[', b",", b"]}"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a batch waits before it is tried again: doubling from *first_s* to *cap_s*.

    Assumed: ER promises retries and no pace. A split is tried at once: it is not a retry (ER).
    """

    first_s: float = 0.1
    cap_s: float = 2.0

    def delay_s(self, tries: int) -> float:
        """The pause after the *tries*-th failure in a row."""
        return min(self.cap_s, self.first_s * 2.0 ** min(tries - 1, 32))


def payload(records: Iterable[Record]) -> bytes:
    """The event of one invocation, as JSON."""
    head, comma, tail = ENVELOPE
    return head + comma.join(record.payload for record in records) + tail


def checkpoint(answer: Answered, records: Sequence[Record], *, partial: bool) -> int | None:
    """How many of *records*, from the first, are done; None if the batch failed as a whole.

    Without ReportBatchItemFailures (*partial*) the body means nothing. With it, the lowest
    sequence number returned is the checkpoint, and everything from it on is tried again (PB);
    lowest is taken as earliest in the batch, since numbers compare only within one item.
    """
    if answer.error:
        return None
    if not partial:
        return len(records)
    failures = failed_items(answer.body)
    if failures is None:
        return None
    position = {record.sequence_number: at for at, record in enumerate(records)}
    try:
        return min((position[failure] for failure in failures), default=len(records))
    except KeyError:  # a number that is not in the batch
        return None


def failed_items(body: bytes) -> list[str] | None:
    """The item identifiers in a partial batch response; None if it is malformed (PB).

    Success: no response, a null or empty one, a null or empty list. Failure of the whole batch:
    an identifier that is empty or null, or an item without one. Assumed: so is a response that
    is neither null nor an object, and a response without the list is one whose list is null.
    """
    if not body.strip():
        return []
    try:
        response = json.loads(body)
    except ValueError:
        return None
    if response is None:
        return []
    if not isinstance(response, dict):
        return None
    items = response.get("batchItemFailures")
    if items is None:
        return []
    if not isinstance(items, list):
        return None
    identifiers: list[str] = []
    for item in items:
        identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
        if not isinstance(identifier, str) or not identifier:
            return None
        identifiers.append(identifier)
    return identifiers


def exhausted(failures: int, maximum_retry_attempts: int) -> bool:
    """Whether *failures* leave no retry: the first try is not one (ER, PR)."""
    return maximum_retry_attempts != INFINITE and failures > maximum_retry_attempts
