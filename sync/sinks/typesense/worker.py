"""The worker of the Typesense queue: actions are written, and what can't be waits elsewhere.

    messages → actions → the last one of each document → write → outcomes → response

A lane never waits for a document: one that fails is parked or quarantined by itself, and its
message is done with. Only what can't even be parked comes again, with all that is behind it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sync.aws.keys import Source
from sync.aws.responses import BatchResponse, failures_of
from sync.deadletters.brake import Brake
from sync.deadletters.letters import DeadLetter, DeadLetters
from sync.errors import RecordError, Refused, RegistryError, Retry
from sync.recovery.parking import Parked, Parking
from sync.recovery.resync import Resync
from sync.recovery.worker import expired, letter
from sync.runtime import log
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.sinks.typesense.messages import Action, read
from sync.sinks.typesense.queue import Typesense
from sync.writing.fanout import Fanout
from sync.writing.op import Done, Op

ComeAgain = Callable[[Sequence[Mapping[str, Any]]], None]


@dataclass(slots=True)
class Batch:
    """What has to be answered for; messages go by their place in the event."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: set[int] = field(default_factory=set)  # messages that are to come again
    waiting: list[tuple[Parked, int, Retry]] = field(default_factory=list)  # may pass later
    letters: list[tuple[DeadLetter, int, Parked]] = field(default_factory=list)  # can never succeed


class TypesenseWorker:
    """Handles messages of the Typesense queue. One for each warm container.

    *fanout* and *resync* write `Typesense` ops straight to Typesense: *fanout* is made of
    `{Typesense: TypesenseDirect(…)}`, and *resync* of that fanout. They would fill the queue
    otherwise that they are to empty. *come_again* is told which messages failed.
    """

    def __init__(
        self,
        fanout: Fanout,
        resync: Resync,
        parking: Parking,
        dead_letters: DeadLetters,
        brake: Brake,
        come_again: ComeAgain,
    ) -> None:
        self._fanout = fanout
        self._resync = resync
        self._parking = parking
        self._dead_letters = dead_letters
        self._brake = brake
        self._come_again = come_again

    def run(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> BatchResponse:
        """Write the actions of SQS *records*; reports the messages that are to come again.

        Raises on a bug: then all come again.
        """
        batch = Batch(Counter(messages=len(records)))
        latest = _latest(records, batch)
        self._write([each for each in latest if not each[0].reads_item], batch, deadline)
        self._read_and_write([each for each in latest if each[0].reads_item], batch, deadline)
        self._publish(batch)
        self._park(batch)
        failed = _with_followers(records, batch.failed)
        logger.info("typesense", extra={**batch.counts, "failed": len(failed)})
        self._come_again([records[n] for n in failed])
        return failures_of(records[n]["messageId"] for n in failed)

    def _write(
        self, actions: Sequence[tuple[Action, int]], batch: Batch, deadline: Deadline
    ) -> None:
        if not actions:
            return
        messages = {(action.collection, action.id): n for action, n in actions}
        ops = [action.op() for action, _ in actions]
        for _, (op, result) in self._fanout.write({Typesense: ops}, deadline):
            n = messages[op.target, op.id]
            if isinstance(result, Done):
                batch.counts[result.value] += 1
                continue
            parked = Parked(op.source, op.version, op.since)
            if isinstance(result, Refused):
                batch.letters.append((_letter(op, result), n, parked))
            elif self._expired(op.since):
                batch.letters.append((_letter(op, expired(result)), n, parked))
            else:
                batch.waiting.append((parked, n, result))

    def _read_and_write(
        self, actions: Sequence[tuple[Action, int]], batch: Batch, deadline: Deadline
    ) -> None:
        """Actions that were too large for a message: what their items say now is written.

        An item says all of its documents, and verifying (Resync) keeps those right that have
        other lanes.
        """
        if not actions:
            return
        messages: dict[Source, int] = {}
        keys: dict[Source, Parked] = {}
        for action, n in actions:
            source = action.source
            after = max(action.version, keys[source].after if source in keys else 0)
            messages[source], keys[source] = n, Parked(source, after, action.since)
        at_once = [Parked(source) for source in keys]
        for settled in self._resync.run(at_once, deadline, only=Typesense.name):
            key, verdict = keys[settled.key.source], settled.verdict
            key = replace(key, after=max(key.after, settled.key.after))
            n = messages[key.source]
            if isinstance(verdict, Retry) and not self._expired(key.since):
                batch.waiting.append((key, n, verdict))
            elif isinstance(verdict, Retry):
                batch.letters.append((letter(settled, expired(verdict), Typesense.name), n, key))
            elif isinstance(verdict, Refused | RecordError | RegistryError):
                batch.letters.append((letter(settled, verdict, Typesense.name), n, key))
            else:
                batch.counts["read"] += 1

    def _expired(self, since: float | None) -> bool:
        return since is not None and self._parking.expired(since)

    def _publish(self, batch: Batch) -> None:
        asked = {id(one): (n, key) for one, n, key in batch.letters}
        letters, held = self._brake.sift([one for one, _, _ in batch.letters])
        batch.waiting += [(asked[id(one)][1], asked[id(one)][0], error) for one, error in held]
        batch.counts["quarantined"] = len(letters)
        for one, _ in self._dead_letters.publish(letters):
            batch.failed.add(asked[id(one)][0])

    def _park(self, batch: Batch) -> None:
        failures = [(key.source, error) for key, _, error in batch.waiting]
        log.waiting(Typesense.name, failures, logging.ERROR)
        messages: dict[Parked, list[int]] = {}
        for key, n, _ in batch.waiting:
            messages.setdefault(key, []).append(n)
        batch.counts["parked"] = len(messages)
        for key, cause in self._parking.park(Typesense.name, list(messages)):
            logger.error(
                "not parked; the message will come again",
                extra={"table": key.source.table, "keys": key.source.keys},
                exc_info=cause,
            )
            batch.failed.update(messages[key])


def _latest(records: Sequence[Mapping[str, Any]], batch: Batch) -> list[tuple[Action, int]]:
    """The last action of each document, and its message.

    What is behind a message that can't be read has to wait for it: a newer release may read it.
    """
    latest: dict[tuple[str, str], tuple[Action, int]] = {}
    stopped: set[str] = set()
    for n, record in enumerate(records):
        if (lane := _lane(record)) in stopped:
            continue
        try:
            actions = read(record["body"])
        except RecordError as error:
            # It comes again, and goes to the dead letters in the end, whole.
            logger.error(
                "unreadable message",
                extra={"id": record["messageId"], "lane": lane},
                exc_info=error,
            )
            batch.failed.add(n)
            stopped.add(lane)
            continue
        batch.counts["actions"] += len(actions)
        for action in actions:
            latest[action.collection, action.id] = action, n
    return list(latest.values())


def _with_followers(records: Sequence[Mapping[str, Any]], failed: Iterable[int]) -> list[int]:
    """*failed*, and the messages behind them in their lanes, without which their order would be
    lost (Lambda guide, SQS: batch item failures of FIFO queues)."""
    first: dict[str, int] = {}
    for n in sorted(failed, reverse=True):
        first[_lane(records[n])] = n
    return [n for n, record in enumerate(records) if n >= first.get(_lane(record), len(records))]


def _lane(record: Mapping[str, Any]) -> str:
    return str(record["attributes"]["MessageGroupId"])


def _letter(op: Op, error: Refused | Retry) -> DeadLetter:
    document = None if op.body is None else op.body.decode()
    return DeadLetter(
        {"table": op.source.table, "keys": op.source.keys, "document": document},
        error,
        table=op.source.table,
        keys=op.source.keys,
        sink=Typesense.name,
        target=op.target,
        document_id=op.id,
        version=op.version,
    )
