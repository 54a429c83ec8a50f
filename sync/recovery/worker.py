"""The worker of the resync queue: resyncs parked keys, and parks those that fail again."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.aws.keys import Source
from sync.aws.responses import BatchResponse, failures_of
from sync.errors import RecordError, Retry
from sync.recovery.parking import MOST_KEYS, ParkedMessage, merged
from sync.recovery.resync import Resync
from sync.recovery.settle import Ended, Settle
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger


@dataclass(slots=True)
class Group:
    """Messages of one sink that are handled together."""

    messages: dict[str, ParkedMessage] = field(default_factory=dict)  # by SQS's message id

    @property
    def size(self) -> int:
        """The number of keys, with duplicates."""
        return sum(len(message.keys) for message in self.messages.values())

    def naming(self, source: Source) -> Iterator[str]:
        """The ids of the messages that contain the key of *source*."""
        for id_, message in self.messages.items():
            if any(key.source == source for key in message.keys):
                yield id_


class ResyncWorker:
    """Handles messages of the resync queue.

    A message is done when each of its keys is written, parked again, or a dead letter; otherwise
    SQS delivers it again. Small messages of one sink are handled together, since a long outage
    parks a key with each of its changes: copies of a key are resynced once.
    """

    def __init__(self, resync: Resync, settle: Settle) -> None:
        self._resync = resync
        self._settle = settle

    def run(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> BatchResponse:
        """Resync the keys of SQS *records*; returns the messages that SQS is to deliver again."""
        counts: Counter[str] = Counter(messages=len(records))
        failed: set[str] = set()
        for group in _groups(records, failed):
            failed.update(self._handle(group, deadline, counts))
        logger.info("resync", extra={**counts, "failed": len(failed)})
        return failures_of([r["messageId"] for r in records if r["messageId"] in failed])

    def _handle(self, group: Group, deadline: Deadline, counts: Counter[str]) -> Iterator[str]:
        """Resync the keys of *group*; yields the ids of messages that are to be delivered again."""
        message = merged(list(group.messages.values()))
        ended: list[Ended[Source]] = []
        for settled in self._resync.run(message.keys, deadline, only=message.sink):
            counts["settled"] += not isinstance(settled.verdict, Retry)
            write = settled.ended(message.sink, settled.key.source)
            if write is not None:
                ended.append(write)
        settlement = self._settle.run(ended, message=message)
        counts["left"] += settlement.parked
        counts["quarantined"] += settlement.quarantined
        for source, _ in settlement.again:
            yield from group.naming(source)


def _groups(records: Sequence[Mapping[str, Any]], failed: set[str]) -> Iterator[Group]:
    """Group the messages of *records* by sink, at most MOST_KEYS keys in a group of several.

    Adds the ids of unreadable messages to *failed*: SQS delivers those again, and after its
    receive limit moves them to the dead-letter queue.
    """
    open_: dict[str | None, Group] = {}
    for record in records:
        try:
            message = ParkedMessage.read(record["body"])
        except RecordError as error:
            logger.error("unreadable message", extra={"id": record["messageId"]}, exc_info=error)
            failed.add(record["messageId"])
            continue
        group = open_.setdefault(message.sink, Group())
        if group.messages and group.size + len(message.keys) > MOST_KEYS:
            yield group
            group = open_[message.sink] = Group()
        group.messages[record["messageId"]] = message
    yield from open_.values()
