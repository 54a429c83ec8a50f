"""One batch of stream records, from Lambda's event to Lambda's answer.

    records → match (keys only) → plan → ops → fold → sink.write → outcomes → settle → response

Read it from `run` downwards.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sync.aws.keys import Source, keys_in
from sync.aws.responses import BatchResponse, failures_of
from sync.errors import ModelBug, RecordError, RegistryError, SyncError
from sync.model.planner import Plan, Planner
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import Parked
from sync.recovery.settle import Ended, Settle
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.stream.record import Record, read_record, sequence_number, table_of, version_of
from sync.writing.fanout import Fanout
from sync.writing.op import Address, Done, Op, Outcome

WRITE_S: Final = 15.0  # for all tries of a batch; what is unfinished then is parked

Raw = Any  # a stream record as Lambda hands it over


class Dispatcher:
    """Carries stream records to sinks. One for each warm container; holds no state of a batch."""

    def __init__(self, planner: Planner, fanout: Fanout, settle: Settle) -> None:
        self._planner = planner
        self._fanout = fanout
        self._settle = settle

    def run(self, raws: Sequence[Raw], deadline: Deadline) -> BatchResponse:
        """Bring every sink in line with *raws*, or see to it that it will be.

        What can never succeed goes to the dead-letter topic, whole. What may pass is parked for
        its sink, and reported to Lambda if it can't be. Raises on a bug, after logging it: Lambda
        then bisects the batch.
        """
        counts = Counter(records=len(raws))
        ended: list[Ended[Raw]] = []
        ops: dict[Address, Op] = {}  # of the ops that name one address, the last one counts
        asked_by: dict[Address, Raw] = {}
        for raw in raws:
            try:
                plan = self._plan(read_record(raw))
            except ModelBug:
                raise
            except (RecordError, RegistryError) as error:
                ended.append(_unreadable(raw, error))
                continue
            if plan is None:
                counts["unmatched"] += 1
                continue
            counts["equal"] += plan.equal
            for op in plan.ops:
                address = op.address
                ops[address], asked_by[address] = op, raw
        for outcome in self._fanout.write(ops.values(), deadline.within(WRITE_S)):
            if isinstance(outcome.result, Done):
                counts[outcome.result.value] += 1
            if outcome.result is not Done.WRITTEN:
                ended.append(_ended(outcome, asked_by[outcome.op.address]))
        return self._respond(ended, counts)

    def _plan(self, record: Record) -> Plan | None:
        """The ops that *record* asks for; None where no model wants it."""
        pattern = self._planner.match(record.source)
        if pattern is None:
            logger.debug("no model wants it", extra=_summary(record))
            return None
        if logger.isEnabledFor(logging.INFO):
            logger.info("record", extra=_summary(record))
        return self._planner.plan(
            pattern,
            record.source,
            record.version,
            new_image=record.new_image,
            old_image=record.old_image,
        )

    def _respond(self, ended: Iterable[Ended[Raw]], counts: Counter[str]) -> BatchResponse:
        """Settle what did not end well, and report what is to come again."""
        settlement = self._settle.run(ended)
        again = {_sequence_number(raw, reason) for raw, reason in settlement.again}
        # Not `+=`, which would drop every count of 0 from the line.
        counts.update(parked=settlement.parked, quarantined=settlement.quarantined)
        counts["retry"] = len(again)
        logger.info("batch", extra=dict(counts))
        return failures_of(sorted(again, key=int))


def _ended(outcome: Outcome, raw: Raw) -> Ended[Raw]:
    op, result = outcome

    def letter(error: SyncError) -> DeadLetter:
        return DeadLetter.of_op(raw, error, op)

    return Ended(op.sink, Parked(op.source, op.version), result, raw, letter)


def _unreadable(raw: Raw, error: RecordError | RegistryError) -> Ended[Raw]:
    """A record that no op could be made of, with what can be read of it."""
    try:
        table = table_of(raw)
    except RecordError:
        table = None
    body = raw.get("dynamodb") if isinstance(raw, dict) else None
    keys = keys_in(body.get("Keys")) if isinstance(body, dict) else None
    version = version_of(raw)

    def letter(error: SyncError) -> DeadLetter:
        return DeadLetter(raw, error, table=table, keys=keys, version=version)

    return Ended(None, Parked(Source(table or "", keys or {}), version), error, raw, letter)


def _sequence_number(raw: Raw, error: Exception) -> str:
    """What Lambda knows the record by; without it the whole batch comes again, for *error*."""
    try:
        return sequence_number(raw)
    except RecordError:
        raise error from None


def _summary(record: Record) -> dict[str, Any]:
    """eventName, keys and size: what every line about a record says (requirements S3.1)."""
    keys = {name: next(iter(av.values()), None) for name, av in record.source.keys.items()}
    return {  # keys apart: an attribute may be called `name` or `message`, as a log record's are
        "eventName": record.event_name,
        "table": record.source.table,
        "keys": keys,
        "size": record.size_bytes,
    }
