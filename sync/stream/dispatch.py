"""Handles one batch of stream records, from Lambda's event to Lambda's response.

records → match (keys only) → plan → ops → last op of each document → sink.write → outcomes
        → settle → response
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
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

WRITE_S: Final = 15.0  # for all attempts of a batch; then unfinished ops end in Retry

Raw = Any  # a stream record as delivered by Lambda, unchecked


class Dispatcher:
    """Writes stream records to sinks. One for each warm container; stateless between batches."""

    def __init__(self, planner: Planner, fanout: Fanout, settle: Settle) -> None:
        self._planner = planner
        self._fanout = fanout
        self._settle = settle

    def run(self, raws: Sequence[Raw], deadline: Deadline) -> BatchResponse:
        """Write the records *raws* to their sinks; returns the records that Lambda is to retry.

        Records that can never succeed become dead letters. Keys whose write may succeed later are
        parked (sync/recovery/settle.py). Raises on a bug in a plan or sink, after logging it;
        Lambda then bisects the batch.
        """
        counts = Counter(records=len(raws))
        ended: list[Ended[Raw]] = []
        ops: dict[Address, Op] = {}  # the last op of each document
        asked_by: dict[Address, Raw] = {}  # the record of that op
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
                if (earlier := ops.get(address)) and op.version <= earlier.version:
                    # Creation times are approximate. The earlier write is left out here, and may
                    # still come from an invocation that Lambda gave up on.
                    op = replace(op, version=earlier.version + 1)
                ops[address], asked_by[address] = op, raw
        for outcome in self._fanout.write(ops.values(), deadline.within(WRITE_S)):
            if isinstance(outcome.result, Done):
                counts[outcome.result.value] += 1
            if outcome.result is not Done.WRITTEN:
                ended.append(_ended(outcome, asked_by[outcome.op.address]))
        return self._respond(ended, counts)

    def _plan(self, record: Record) -> Plan | None:
        """The ops of *record*; None if no model matches it."""
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
        """Settle the writes that did not succeed, and report the records to retry."""
        settlement = self._settle.run(ended)
        again = {_sequence_number(raw, reason) for raw, reason in settlement.again}
        # Not `+=`, which would drop every count of 0 from the line.
        counts.update(parked=settlement.parked, quarantined=settlement.quarantined)
        counts["retry"] = len(again)
        logger.info("batch", extra=dict(counts))
        return failures_of(sorted(again, key=int))


def _ended(outcome: Outcome, raw: Raw) -> Ended[Raw]:
    """An op of the record *raw* that did not succeed, as input for `Settle.run`."""
    op, result = outcome

    def letter(error: SyncError) -> DeadLetter:
        return DeadLetter.of_op(raw, error, op)

    return Ended(op.sink, Parked(op.source, op.version), result, raw, letter)


def _unreadable(raw: Raw, error: RecordError | RegistryError) -> Ended[Raw]:
    """A record that could not be planned, as input for `Settle.run`, with the fields it has."""
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
    """What identifies the record in the response. Raises *error* if that is missing: then Lambda
    retries the whole batch."""
    try:
        return sequence_number(raw)
    except RecordError:
        raise error from None


def _summary(record: Record) -> dict[str, Any]:
    """The log fields of a record: eventName, table, keys and size (requirements S3.1)."""
    keys = {name: next(iter(av.values())) for name, av in record.source.keys.items()}
    return {  # keys are nested: a key attribute may be called `name`, like a field of a log record
        "eventName": record.event_name,
        "table": record.source.table,
        "keys": keys,
        "size": record.size_bytes,
    }
