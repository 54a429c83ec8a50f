"""The receiving side of lanes: messages → writes of the sink.

    messages → actions → the last one of each document → write → outcomes → settle → response

A document that fails does not block its lane: its key is parked or becomes a dead letter, and the
message is done. SQS delivers a message again, with all behind it in its lane, only if neither is
possible or the message is unreadable.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.aws.keys import Source
from sync.aws.responses import BatchResponse, failures_of
from sync.errors import RecordError, SyncError
from sync.lanes.messages import Action, read
from sync.lanes.sender import Sender
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import Parked, oldest
from sync.recovery.resync import Resync
from sync.recovery.settle import Ended, Settle
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.writing.fanout import Fanout
from sync.writing.op import Address, Done, Op, Outcome

Records = Sequence[Mapping[str, Any]]


class LaneWorker:
    """Handles messages of the lanes of one sink. One for each warm container.

    *fanout* and *resync* write to the sink itself, not to *sender*, which would fill the queue
    again. *effect_s*: for how long a request to the sink may still take effect.
    """

    def __init__(
        self, sender: Sender, effect_s: float, fanout: Fanout, resync: Resync, settle: Settle
    ) -> None:
        self._sender = sender
        self._sink = sender.sink
        self._effect_s = effect_s
        self._fanout = fanout
        self._resync = resync
        self._settle = settle

    def run(self, records: Records, deadline: Deadline) -> BatchResponse:
        """Write the actions of SQS *records*; returns the messages that SQS is to deliver again.

        Raises on a bug; then SQS delivers all again.
        """
        counts = Counter(messages=len(records))
        failed: set[int] = set()  # indexes of records
        latest = _latest(self._sink, records, counts, failed)
        whole = [(action.op(self._sink), n) for action, n in latest if not action.reads_item]
        large = [(action, n) for action, n in latest if action.reads_item]
        ended = [
            *self._write(whole, counts, deadline),
            *self._read_and_write(large, counts, deadline),
        ]
        settlement = self._settle.run(ended)
        counts["quarantined"] = settlement.quarantined
        counts["parked"] = settlement.parked
        failed.update(n for n, _ in settlement.again)
        again = [records[n] for n in _with_followers(records, failed)]
        logger.info(self._sink, extra={**counts, "failed": len(again)})
        self._sender.delay(again, self._effect_s)
        return failures_of(record["messageId"] for record in again)

    def _write(
        self, latest: Sequence[tuple[Op, int]], counts: Counter[str], deadline: Deadline
    ) -> Iterator[Ended[int]]:
        """Write the ops of *latest*, with the index of each one's record; yields failures."""
        messages = {op.address: n for op, n in latest}
        for outcome in self._fanout.write((op for op, _ in latest), deadline):
            if isinstance(outcome.result, Done):
                counts[outcome.result.value] += 1
            if outcome.result is not Done.WRITTEN:
                yield _ended(outcome, messages[outcome.op.address])

    def _read_and_write(
        self, latest: Sequence[tuple[Action, int]], counts: Counter[str], deadline: Deadline
    ) -> Iterator[Ended[int]]:
        """Resync the items whose documents were too large for a message; yields failures.

        A resync writes all documents of an item, also those of other lanes. That is safe, since a
        resync verifies what it wrote.
        """
        messages: dict[Source, int] = {}
        keys: dict[Source, Parked] = {}
        for action, n in sorted(latest, key=lambda each: each[0].version):  # the highest stays
            source = action.source
            since_s = oldest(action.since_s, keys[source].since_s if source in keys else None)
            messages[source], keys[source] = n, Parked(source, action.version, since_s)
        at_once = [Parked(source) for source in keys]
        for settled in self._resync.run(at_once, deadline, only=self._sink):
            key, source = keys[settled.key.source], settled.key.source
            key = replace(key, after_version=max(key.after_version, settled.key.after_version))
            failure = replace(settled, key=key).ended(self._sink, messages[source])
            if failure is None:
                counts["read"] += 1
            else:
                yield failure


def _ended(outcome: Outcome, message: int) -> Ended[int]:
    """An op that did not succeed, as input for `Settle.run`; *message*: index of its record."""
    op, result = outcome

    def letter(error: SyncError) -> DeadLetter:
        document = None if op.body is None else op.body.decode()
        raw = {"table": op.source.table, "keys": op.source.keys, "document": document}
        return DeadLetter.of_op(raw, error, op)

    return Ended(op.sink, Parked(op.source, op.version, op.since_s), result, message, letter)


def _latest(
    sink: str, records: Records, counts: Counter[str], failed: set[int]
) -> list[tuple[Action, int]]:
    """The last action of each document, with the index of its record.

    It is as old as the oldest of them, so that 14 days end though the document changes meanwhile.
    Adds the indexes of unreadable messages to *failed*, and skips the messages behind them in their
    lanes: a newer release may be able to read them, and then the order still has to hold.
    """
    latest: dict[Address, tuple[Action, int]] = {}
    stopped: set[str] = set()
    for n, record in enumerate(records):
        if (lane := _lane(record)) in stopped:
            continue
        try:
            actions = read(record["body"])
        except RecordError as error:
            # SQS delivers it again, and after its receive limit moves it to the dead-letter queue.
            logger.error(
                "unreadable message",
                extra={"id": record["messageId"], "sink": sink, "lane": lane},
                exc_info=error,
            )
            failed.add(n)
            stopped.add(lane)
            continue
        counts["actions"] += len(actions)
        for action in actions:
            address = sink, action.collection, action.id
            earlier, _ = latest.get(address, (action, n))
            since_s = oldest(earlier.since_s, action.since_s)
            latest[address] = replace(action, since_s=since_s), n
    return list(latest.values())


def _with_followers(records: Records, failed: Collection[int]) -> list[int]:
    """The indexes of *failed* records and of all records behind them in their lanes.

    To keep the order, those have to be reported as failed too (Lambda guide, SQS: batch item
    failures of FIFO queues).
    """
    stopped: set[str] = set()
    again: list[int] = []
    for n, record in enumerate(records):
        if n in failed:
            stopped.add(_lane(record))
        if _lane(record) in stopped:
            again.append(n)
    return again


def _lane(record: Mapping[str, Any]) -> str:
    """The lane of an SQS record: its message group."""
    return str(record["attributes"]["MessageGroupId"])
