"""One batch of stream records, from Lambda's event to Lambda's answer.

    records → match (keys only) → change → plan → ops → fold → sink.write → outcomes → response

Read it from `run` downwards.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sync.aws.keys import Source, keys_in
from sync.aws.responses import BatchResponse, failures_of
from sync.deadletters.brake import Brake
from sync.deadletters.letters import DeadLetter, DeadLetters
from sync.errors import Held, RecordError, Refused, RegistryError, Retry, SyncError, Throttled
from sync.model.change import Change, Planned
from sync.model.registry import Registry
from sync.recovery.parking import Parked, Parking
from sync.runtime import log
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.stream.record import Record, read_record, sequence_number, table_of, version_of
from sync.writing.fanout import Fanout
from sync.writing.ids import document_id
from sync.writing.op import Done, Op
from sync.writing.sink import Sink

WRITE_S: Final = 15.0  # for all tries of a batch; what is unfinished then is parked
STALE: Final = Throttled("stale: the sink holds a newer version")


@dataclass(frozen=True, slots=True)
class Work:
    """An op on its way to a sink, and the record that asked for it."""

    record: Record
    sink: type[Sink]
    op: Op


@dataclass(frozen=True, slots=True)
class Waiting:
    """A key that *sink* (None: every sink of its model) could not have yet, and why."""

    sink: str | None
    key: Parked
    error: Retry
    raw: Any  # its record

    @property
    def comes_again(self) -> bool:
        """Whether Lambda's delivering its record again could mend it."""
        return self.error is not STALE and not isinstance(self.error, Held)


@dataclass(slots=True)
class Batch:
    """What has to be answered for: filled on the way down, emptied by `respond`."""

    counts: Counter[str] = field(default_factory=Counter)
    letters: list[DeadLetter] = field(default_factory=list)  # can never succeed
    waiting: list[Waiting] = field(default_factory=list)  # may pass later
    failed: set[str] = field(default_factory=set)  # sequence numbers that are to come again


class Dispatcher:
    """Carries stream records to sinks. One for each warm container; holds no state of a batch.

    *strict* names sinks whose failures are not parked but reported, so that Lambda retries,
    bisects and calls the on-failure destination, as the source systems have it (SPEC S3.2).
    """

    def __init__(
        self,
        registry: Registry,
        fanout: Fanout,
        parking: Parking,
        dead_letters: DeadLetters,
        brake: Brake,
        *,
        strict: frozenset[str] = frozenset(),
    ) -> None:
        self._registry = registry
        self._fanout = fanout
        self._parking = parking
        self._dead_letters = dead_letters
        self._brake = brake
        self._strict = strict

    def run(self, raws: Sequence[Any], deadline: Deadline) -> BatchResponse:
        """Bring every sink in line with *raws*, or see to it that it will be.

        What can never succeed goes to the dead-letter topic, whole. What may pass is parked for
        its sink, and reported to Lambda if it can't be. Raises on a bug, after logging it: Lambda
        then bisects the batch.
        """
        batch = Batch(Counter(records=len(raws)))
        work: dict[tuple[type[Sink], str, str], Work] = {}
        for raw in raws:
            try:
                record = read_record(raw)
                planned = self._plan(record, batch.counts)
            except (RecordError, RegistryError) as error:
                batch.letters.append(_unreadable(raw, error))
                continue
            if planned is None:
                batch.counts["unmatched"] += 1
                continue
            for sink, op in planned:  # of the ops that speak of one id, the last one counts
                work[sink, op.target, op.id] = Work(record, sink, op)
        self._write(work, batch, deadline)
        return self._respond(batch)

    def _plan(self, record: Record, counts: Counter[str]) -> list[Planned] | None:
        """The ops that *record* asks for; None where no model wants it."""
        pattern = self._registry.match(record.source.table, record.source.keys)
        if pattern is None:
            logger.debug("no model wants it", extra=_summary(record))
            return None
        if logger.isEnabledFor(logging.INFO):
            logger.info("record", extra=_summary(record))
        change = Change(
            pattern.model,
            record.source,
            document_id(record.source.keys, pattern.names),
            record.version,
            new_image=record.new_image,
            old_image=record.old_image,
        )
        try:
            planned = list(pattern.model.plan(change))
        except SyncError as error:
            self._brake.read(pattern.model.__name__, change.id, error)
            raise
        except Exception:
            logger.exception("plan of %s failed", pattern.model.__name__, extra=_summary(record))
            raise
        self._brake.read(pattern.model.__name__, change.id)
        counts["equal"] += change.equal
        return planned

    def _write(
        self,
        work: Mapping[tuple[type[Sink], str, str], Work],
        batch: Batch,
        deadline: Deadline,
    ) -> None:
        """Write *work* to every sink, and note in *batch* what each op came to."""
        ops: dict[type[Sink], list[Op]] = {}
        for item in work.values():
            ops.setdefault(item.sink, []).append(item.op)
        for sink, (op, result) in self._fanout.write(ops, deadline.within(WRITE_S)):
            item = work[sink, op.target, op.id]
            if isinstance(result, Refused):
                batch.letters.append(_refused(item, result))
            elif isinstance(result, Retry):
                batch.waiting.append(_waiting(item, result))
            else:
                batch.counts[result.value] += 1
                if result is Done.STALE:  # what the sink holds may be late, not newer: look again
                    batch.waiting.append(_waiting(item, STALE))

    def _respond(self, batch: Batch) -> BatchResponse:
        """Park what waits, publish the letters, and report what is to come again."""
        letters, held = self._brake.sift(batch.letters)
        for one, error in held:
            key = Parked(Source(one.table or "", one.keys or {}), one.version)
            batch.waiting.append(Waiting(one.sink, key, error, one.raw))
        self._park(batch)
        if letters:
            batch.counts["quarantined"] = len(letters)
            for letter, cause in self._dead_letters.publish(letters):
                batch.failed.add(_sequence_number(letter.raw, cause))
        batch.counts["retry"] = len(batch.failed)
        logger.info("batch", extra=dict(batch.counts))
        return failures_of(sorted(batch.failed, key=int))

    def _park(self, batch: Batch) -> None:
        by_sink: dict[str | None, list[Waiting]] = {}
        for one in batch.waiting:
            by_sink.setdefault(one.sink, []).append(one)
        for sink, waiting in by_sink.items():
            for stale in (False, True):  # the one is an outage, the other a question of order
                log.waiting(
                    sink,
                    [(w.key.source, w.error) for w in waiting if (w.error is STALE) is stale],
                    logging.WARNING if stale else logging.ERROR,
                )
            if sink in self._strict:
                again = [one for one in waiting if one.comes_again]
                batch.failed.update(_sequence_number(one.raw, one.error) for one in again)
                waiting = [one for one in waiting if not one.comes_again]
            raws = {one.key: one.raw for one in waiting}
            batch.counts["parked"] += len(raws)
            for key, cause in self._parking.park(sink, list(raws)):
                logger.error(
                    "not parked; the record will come again",
                    extra={"table": key.source.table, "keys": key.source.keys, "sink": sink},
                    exc_info=cause,
                )
                batch.failed.add(_sequence_number(raws[key], cause))


def _waiting(item: Work, error: Retry) -> Waiting:
    key = Parked(item.op.source, item.op.version)
    return Waiting(item.sink.name, key, error, item.record.raw)


def _unreadable(raw: Any, error: SyncError) -> DeadLetter:
    """A letter for a record that no op could be made of; it says of it what can be said."""
    try:
        table = table_of(raw)
    except RecordError:
        table = None
    body = raw.get("dynamodb") if isinstance(raw, dict) else None
    keys = keys_in(body.get("Keys")) if isinstance(body, dict) else None
    return DeadLetter(raw, error, table=table, keys=keys, version=version_of(raw))


def _refused(item: Work, error: Refused) -> DeadLetter:
    return DeadLetter(
        item.record.raw,
        error,
        table=item.op.source.table,
        keys=item.op.source.keys,
        sink=item.sink.name,
        target=item.op.target,
        document_id=item.op.id,
        version=item.op.version,
    )


def _sequence_number(raw: Any, error: Exception) -> str:
    """What Lambda knows the record by; without it the whole batch comes again, for *error*."""
    try:
        return sequence_number(raw)
    except RecordError:
        raise error from None


def _summary(record: Record) -> dict[str, Any]:
    """eventName, keys and size: what every line about a record says (SPEC S3.1)."""
    keys = {name: next(iter(av.values()), None) for name, av in record.source.keys.items()}
    return {  # keys apart: an attribute may be called `name` or `message`, as a log record's are
        "eventName": record.event_name,
        "table": record.source.table,
        "keys": keys,
        "size": record.size_bytes,
    }
