"""The worker of the resync queue: parked keys are resynced, what is left is parked again."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync.aws.keys import Source
from sync.aws.responses import BatchResponse, failures_of
from sync.deadletters.brake import Brake
from sync.deadletters.letters import DeadLetter, DeadLetters
from sync.errors import RecordError, Refused, RegistryError, Retry, SyncError, Unavailable
from sync.recovery.parking import MOST_KEYS, Message, Parked, Parking, merged
from sync.recovery.resync import Resync, Settled
from sync.runtime import log
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger


@dataclass(slots=True)
class Group:
    """Messages of one sink that are handled as one, and which of them name a key."""

    messages: dict[str, Message] = field(default_factory=dict)  # by SQS's message id

    @property
    def size(self) -> int:
        return sum(len(message.keys) for message in self.messages.values())

    def naming(self, source: Source) -> Iterator[str]:
        """The ids of the messages that name the item of *source*."""
        for id_, message in self.messages.items():
            if any(key.source == source for key in message.keys):
                yield id_


class ResyncWorker:
    """Handles messages of the resync queue. A message is done once each of its keys is in line,
    parked anew, or quarantined; until then it comes again.

    Small messages of one sink are handled as one: a long outage parks an item with each of its
    changes, and copies that meet become one again.
    """

    def __init__(
        self, resync: Resync, parking: Parking, dead_letters: DeadLetters, brake: Brake
    ) -> None:
        self._resync = resync
        self._parking = parking
        self._dead_letters = dead_letters
        self._brake = brake

    def run(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> BatchResponse:
        """Resync the keys of SQS *records*; reports the messages that are to come again."""
        counts: Counter[str] = Counter(messages=len(records))
        failed: set[str] = set()
        for group in _groups(records, failed):
            failed.update(self._handle(group, deadline, counts))
        logger.info("resync", extra={**counts, "failed": len(failed)})
        return failures_of([r["messageId"] for r in records if r["messageId"] in failed])

    def _handle(self, group: Group, deadline: Deadline, counts: Counter[str]) -> Iterator[str]:
        """Resync the keys of *group*; yields the messages that are not done with."""
        message = merged(list(group.messages.values()))
        left: list[tuple[Parked, Retry]] = []
        expiring: list[DeadLetter] = []
        refused: list[DeadLetter] = []
        keys: dict[str, Parked] = {}  # by the id of a letter
        for settled in self._resync.run(message.keys, deadline, only=message.sink):
            verdict, key = settled.verdict, settled.key
            old = key.since is not None and self._parking.expired(key.since)
            if isinstance(verdict, Retry) and not old:
                left.append((key, verdict))
                continue
            counts["settled"] += not isinstance(verdict, Retry)
            if isinstance(verdict, Refused | RecordError | RegistryError | Retry):
                error = expired(verdict) if isinstance(verdict, Retry) else verdict
                one = letter(settled, error, message.sink)
                (expiring if old else refused).append(one)
                keys[one.id] = key
        letters, held = self._brake.sift(refused)
        left += [(keys[one.id], error) for one, error in held]
        counts["left"] += len(left)
        counts["quarantined"] += len(letters) + len(expiring)
        for one, _ in self._dead_letters.publish([*letters, *expiring]):
            yield from group.naming(keys[one.id].source)
        for key in self._park(message, left):
            yield from group.naming(key.source)

    def _park(self, message: Message, left: Sequence[tuple[Parked, Retry]]) -> Iterator[Parked]:
        """Park what is *left* once more; yields what could not be."""
        log.waiting(message.sink, [(key.source, error) for key, error in left], logging.ERROR)
        for key, error in self._parking.again(message, [key for key, _ in left]):
            logger.error("could not be parked", extra=_about(key, message.sink), exc_info=error)
            yield key


def _groups(records: Sequence[Mapping[str, Any]], failed: set[str]) -> Iterator[Group]:
    """The messages of *records*, those of one sink together as far as one message could hold their
    keys. What can't be read is *failed*: it comes again, and goes to the dead letters in the end.
    """
    open_: dict[str | None, Group] = {}
    for record in records:
        try:
            message = Message.read(record["body"])
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


def letter(settled: Settled, error: SyncError, sink: str | None) -> DeadLetter:
    """A dead letter for a key that can't be brought in line; it holds the item as it was read.

    Not where the item had no part in it: then a replay may end otherwise without its changing.
    """
    source = settled.key.source
    raw: dict[str, Any] = {"table": source.table, "keys": source.keys}
    if not isinstance(settled.verdict, Retry):
        raw["item"] = settled.found
    return DeadLetter(
        raw,
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
