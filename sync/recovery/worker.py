"""The worker of the resync queue: parked keys are resynced, what is left is parked again."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync import log
from sync.deadletters.letters import DeadLetter, DeadLetters
from sync.deadline import Deadline
from sync.errors import RecordError, Refused, RegistryError, Retry, SyncError, Unavailable
from sync.log import logger
from sync.recovery.parking import Message, Parked, Parking
from sync.recovery.resync import Resync, Settled
from sync.responses import BatchResponse, failures_of


class ResyncWorker:
    """Handles messages of the resync queue. A message is done once each of its keys is in line,
    parked anew, or quarantined; until then it comes again."""

    def __init__(self, resync: Resync, parking: Parking, dead_letters: DeadLetters) -> None:
        self._resync = resync
        self._parking = parking
        self._dead_letters = dead_letters

    def run(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> BatchResponse:
        """Resync the keys of SQS *records*; reports the messages that are to come again."""
        counts: Counter[str] = Counter(messages=len(records))
        failed = [
            record["messageId"] for record in records if not self._handle(record, deadline, counts)
        ]
        logger.info("resync", extra={**counts, "failed": len(failed)})
        return failures_of(failed)

    def _handle(self, record: Mapping[str, Any], deadline: Deadline, counts: Counter[str]) -> bool:
        """Whether the message of *record* is done with."""
        try:
            message = Message.read(record["body"])
        except RecordError as error:
            # It comes again, and goes to the dead letters in the end, whole.
            logger.error("unreadable message", extra={"id": record["messageId"]}, exc_info=error)
            return False
        left: list[Settled] = []
        letters: list[DeadLetter] = []
        for settled in self._resync.run(message.keys, deadline, only=message.sink):
            if isinstance(settled.verdict, Retry):
                left.append(settled)
            elif isinstance(settled.verdict, Refused | RecordError | RegistryError):
                letters.append(letter(settled, settled.verdict, message.sink))
            counts["settled"] += not isinstance(settled.verdict, Retry)
        if left and self._parking.expired(message.since):
            letters += [letter(settled, expired(settled.verdict), message.sink) for settled in left]
            left = []
        counts["left"] += len(left)
        counts["quarantined"] += len(letters)
        return all(
            [*self._publish(letters), *self._park(message, left)]  # both, whatever one says
        )

    def _park(self, message: Message, left: Sequence[Settled]) -> Iterator[bool]:
        failures = [
            (settled.key.source, settled.verdict)
            for settled in left
            if isinstance(settled.verdict, Retry)
        ]
        log.waiting(message.sink, failures, logging.ERROR)
        for key, error in self._parking.again(message, [settled.key for settled in left]):
            logger.error("could not be parked", extra=_about(key, message.sink), exc_info=error)
            yield False

    def _publish(self, letters: Sequence[DeadLetter]) -> Iterator[bool]:
        for _ in self._dead_letters.publish(letters):
            yield False


def letter(settled: Settled, error: SyncError, sink: str | None) -> DeadLetter:
    """A dead letter for a key that can't be brought in line; it holds the item as it was read."""
    source = settled.key.source
    item = None if isinstance(settled.found, Retry) else settled.found
    return DeadLetter(
        {"table": source.table, "keys": source.keys, "item": item},
        error,
        table=source.table,
        keys=source.keys,
        sink=settled.sink.name if settled.sink else sink,
        target=settled.op.target if settled.op else None,
        document_id=settled.op.id if settled.op else None,
        version=settled.version,
    )


def expired(verdict: Any) -> Unavailable:
    """What a dead letter says of a key that was parked for too long, and has *verdict* now."""
    error = Unavailable(f"parked for 14 days, and still: {verdict}")
    error.__cause__ = verdict if isinstance(verdict, Exception) else None
    return error


def _about(key: Parked, sink: str | None) -> dict[str, Any]:
    return {"table": key.source.table, "keys": key.source.keys, "sink": sink}
