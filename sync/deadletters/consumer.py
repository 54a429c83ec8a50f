"""The consumer of the dead-letter queues: each message becomes a row, or rows, of the table."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sync.clock import Clock
from sync.deadletters import rows
from sync.deadletters.bodies import Bodies
from sync.deadletters.stream_range import StreamRange, Streams
from sync.deadletters.table import DeadLetterTable, Row
from sync.deadline import Deadline
from sync.errors import RecordError, RegistryError, Retry, Unavailable
from sync.log import logger
from sync.moments import epoch
from sync.registry import Registry
from sync.responses import BatchResponse, failures_of
from sync.sinks.base import Queued

RETENTION_S: Final = 24 * 3600  # of a stream (DynamoDB guide, Streams)
INLINE_BYTES: Final = 200_000  # an item holds 400 KB; larger bodies go to S3
_MALFORMED: Final = (RecordError, KeyError, TypeError, ValueError, AttributeError, OverflowError)


class DeadLetterConsumer:
    """Handles messages of the dead-letter queues. None is too malformed to be kept.

    *wait_s*: how long a request of a sink may outlive the invocation that sent it.
    """

    def __init__(
        self,
        registry: Registry,
        table: DeadLetterTable,
        streams: Streams,
        bodies: Bodies,
        clock: Clock,
        *,
        wait_s: float,
    ) -> None:
        self._registry = registry
        self._table = table
        self._streams = streams
        self._bodies = bodies
        self._clock = clock
        self._wait_s = wait_s

    def run(
        self, records: Sequence[Mapping[str, Any]], deadline: Deadline, *, of: Queued | None = None
    ) -> BatchResponse:
        """Keep the SQS *records*; reports the messages that could not be, to come again.

        *of*: the sink whose own queue they failed in. None: they are of the dead-letter topic.
        """
        counts: Counter[str] = Counter(messages=len(records))
        failed = [
            record["messageId"]
            for record in records
            if not self._handle(record, of, deadline, counts)
        ]
        logger.info("dead letters", extra={**counts, "failed": len(failed)})
        return failures_of(failed)

    def _handle(
        self,
        record: Mapping[str, Any],
        of: Queued | None,
        deadline: Deadline,
        counts: Counter[str],
    ) -> bool:
        """Keep what can be kept of one message; whether that was all.

        A row that can't be kept delays no other: of a range there may be nobody to ask tomorrow.
        """
        message_id = record["messageId"]
        failures: list[Retry] = []
        try:
            found = self._rows(record, deadline) if of is None else self._queued(record, of)
            found = list({row.id: row for row in found or [self._empty(record, of)]}.values())
            known = self._known(found, record)
            counts["known"] += len(known)
        except Retry as error:
            found, known = [], set()
            failures.append(error)
        for row in found:
            if row.id in known:
                continue
            try:
                if not deadline.remaining():
                    raise Unavailable("time is up")
                counts[self._keep(row, message_id)] += 1
            except Retry as error:
                failures.append(error)
        if failures:
            logger.error(
                "dead letters could not be kept; their message comes again",
                extra={"message_id": message_id, "rows": len(found), "failures": len(failures)},
                exc_info=failures[0],
            )
        return not failures

    def _known(self, found: Sequence[Row], record: Mapping[str, Any]) -> set[str]:
        """Rows that an earlier delivery of the message has kept, where it comes again.

        Raises Retry.
        """
        if len(found) < 2 or _receives(record) in ("1", None):
            return set()
        return self._table.known([row.id for row in found], record["messageId"])

    def _empty(self, record: Mapping[str, Any], of: Queued | None) -> Row:
        """The row of a message that is about nothing: it is kept all the same."""
        error, sink = RecordError("the message speaks of no key"), of.name if of else None
        return rows.unknown(record["body"], error, self._clock.time_ns() / 1e9, sink=sink)

    def _queued(self, record: Mapping[str, Any], of: Queued) -> list[Row]:
        """The rows of a message that failed in the queue of *of*."""
        now_s = self._clock.time_ns() / 1e9
        try:
            receives = _receives(record) or "too many"
            return [
                rows.queued(of.name, op, said, receives, now_s, wait_s=self._wait_s)
                for op, said in of.contents(record["body"])
            ]
        except _MALFORMED as error:
            return [rows.unknown(record["body"], error, now_s, sink=of.name)]

    def _rows(self, record: Mapping[str, Any], deadline: Deadline) -> list[Row]:
        """The rows of one message, whatever it is. Raises Retry."""
        body = record["body"]
        now_s = self._clock.time_ns() / 1e9
        try:
            message = json.loads(body)
            if not isinstance(message, dict):
                raise RecordError("the message is no JSON object")
            if message.get("kind") == "quarantined":
                return [rows.quarantined(message)]
            if "DDBStreamBatchInfo" in message:
                return self._given_up(message, deadline)
            if "requestPayload" in message:
                return [rows.invocation(message, now_s)]
            if "sink" in message and "keys" in message:
                return rows.parked(body, _receives(record) or "too many", now_s)
            return [rows.unknown(body, None, now_s)]
        except _MALFORMED as error:
            return [rows.unknown(body, error, now_s)]

    def _given_up(self, document: Mapping[str, Any], deadline: Deadline) -> list[Row]:
        """A row for each record of the range, read from the stream now, while it has them."""
        info = document["DDBStreamBatchInfo"]
        wanted = StreamRange.of(info)
        arrived = info.get("approximateArrivalOfLastRecord")
        gone = arrived and self._clock.time_ns() / 1e9 - epoch(arrived) > RETENTION_S
        # Looking for what the stream no longer has would page through all that came since.
        records = [] if gone else self._streams.read(wanted, deadline)
        found = [rows.given_up(record, document, wait_s=self._wait_s) for record in records]
        if len(records) < wanted.size:
            found.append(rows.lost_range(wanted, document, len(records)))
        return found

    def _keep(self, row: Row, message_id: str) -> str:
        """Write *row*; says whether it is new or was known. Raises Retry."""
        row = replace(row, model=self._model(row))
        if row.body is not None and len(row.body.encode()) > INLINE_BYTES:
            payload = self._bodies.keep(f"dead-letters/{row.id}.json", row.body)
            row = replace(row, body=None, payload=payload)
        if not self._table.record(row, message_id):
            return "known"
        logger.error("dead letter", extra=row.summary())
        return "kept"

    def _model(self, row: Row) -> str | None:
        if row.table is None or row.keys is None:
            return None
        try:
            pattern = self._registry.match(row.table, row.keys)
        except (RecordError, RegistryError):
            return None
        return pattern.model.__name__ if pattern else None


def _receives(record: Mapping[str, Any]) -> str | None:
    """How often SQS has handed out the message, where it says so."""
    receives: str | None = record.get("attributes", {}).get("ApproximateReceiveCount")
    return receives
