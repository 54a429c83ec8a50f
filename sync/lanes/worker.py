"""The sink's side of a lane: actions are written, and what can't be waits elsewhere.

    messages → actions → the last one of each document → write → outcomes → settle → response

A lane never waits for a document: one that fails is parked or quarantined by itself, and its
message is done with. Only what can't even be parked comes again, with all that is behind it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync.aws.keys import Source
from sync.aws.responses import BatchResponse, failures_of
from sync.errors import RecordError, SyncError
from sync.lanes.messages import Action, read
from sync.lanes.sender import Sender
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import Parked
from sync.recovery.resync import Resync
from sync.recovery.settle import Ended, Settle, ended_of
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.writing.fanout import Fanout
from sync.writing.op import Address, Done, Op, Outcome

Records = Sequence[Mapping[str, Any]]


class LaneWorker:
    """Handles messages of the lanes of one sink. One for each warm container.

    *fanout* and *resync* write to the sink itself, which takes a request's effect within
    *effect_s*; writing to *sender* they would fill the queue that they are to empty.
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
        """Write the actions of SQS *records*; reports the messages that are to come again.

        Raises on a bug: then all come again.
        """
        counts = Counter(messages=len(records))
        failed: set[int] = set()  # messages by their place in the event
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
        messages = {op.address: n for op, n in latest}
        for outcome in self._fanout.write((op for op, _ in latest), deadline):
            if isinstance(outcome.result, Done):
                counts[outcome.result.value] += 1
            if outcome.result is not Done.WRITTEN:
                yield _ended(outcome, messages[outcome.op.address])

    def _read_and_write(
        self, latest: Sequence[tuple[Action, int]], counts: Counter[str], deadline: Deadline
    ) -> Iterator[Ended[int]]:
        """Actions that were too large for a message: what their items say now is written.

        An item says all of its documents, and verifying (Resync) keeps those right that have
        other lanes.
        """
        messages: dict[Source, int] = {}
        keys: dict[Source, Parked] = {}
        for action, n in latest:
            source = action.source
            earlier = keys[source].after_version if source in keys else 0
            after_version = max(action.version, earlier)
            messages[source], keys[source] = n, Parked(source, after_version, action.since_s)
        at_once = [Parked(source) for source in keys]
        for settled in self._resync.run(at_once, deadline, only=self._sink):
            key, source = keys[settled.key.source], settled.key.source
            key = replace(key, after_version=max(key.after_version, settled.key.after_version))
            one = ended_of(replace(settled, key=key), self._sink, messages[source])
            if one is None:
                counts["read"] += 1
            else:
                yield one


def _ended(outcome: Outcome, message: int) -> Ended[int]:
    op, result = outcome

    def letter(error: SyncError) -> DeadLetter:
        document = None if op.body is None else op.body.decode()
        raw = {"table": op.source.table, "keys": op.source.keys, "document": document}
        return DeadLetter.of_op(raw, error, op)

    return Ended(op.sink, Parked(op.source, op.version, op.since_s), result, message, letter)


def _latest(
    sink: str, records: Records, counts: Counter[str], failed: set[int]
) -> list[tuple[Action, int]]:
    """The last action of each document, and its message.

    What is behind a message that can't be read has to wait for it: a newer release may read it.
    """
    latest: dict[Address, tuple[Action, int]] = {}
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
                extra={"id": record["messageId"], "sink": sink, "lane": lane},
                exc_info=error,
            )
            failed.add(n)
            stopped.add(lane)
            continue
        counts["actions"] += len(actions)
        for action in actions:
            latest[sink, action.collection, action.id] = action, n
    return list(latest.values())


def _with_followers(records: Records, failed: Iterable[int]) -> list[int]:
    """*failed*, and the messages behind them in their lanes, without which their order would be
    lost (Lambda guide, SQS: batch item failures of FIFO queues)."""
    first: dict[str, int] = {}
    for n in sorted(failed, reverse=True):
        first[_lane(records[n])] = n
    return [n for n, record in enumerate(records) if n >= first.get(_lane(record), len(records))]


def _lane(record: Mapping[str, Any]) -> str:
    return str(record["attributes"]["MessageGroupId"])
