"""The consumer of the dead-letter queue: each message becomes a row, or rows, of the table."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sync import deadletter_rows as rows
from sync.bodies import Bodies
from sync.clock import Clock
from sync.deadletter_table import DeadLetterTable, Row
from sync.deadline import Deadline
from sync.errors import RecordError, RegistryError, Retry, Unavailable
from sync.log import logger
from sync.moments import epoch
from sync.registry import Registry
from sync.responses import BatchResponse, failures_of
from sync.stream_range import StreamRange, Streams

RETENTION_S: Final = 24 * 3600  # of a stream (DynamoDB guide, Streams)
INLINE_BYTES: Final = 200_000  # an item holds 400 KB; larger bodies go to S3
_MALFORMED: Final = (RecordError, KeyError, TypeError, ValueError, AttributeError, OverflowError)


class DeadLetterConsumer:
    """Handles messages of the dead-letter queue. None is too malformed to be kept.

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

    def run(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> BatchResponse:
        """Keep the SQS *records*; reports the messages that could not be, to come again."""
        counts: Counter[str] = Counter(messages=len(records))
        failed = []
        for record in records:
            try:
                for row in self._rows(record, deadline):
                    if not deadline.remaining():
                        raise Unavailable("time is up")
                    counts[self._keep(row, record["messageId"])] += 1
            except Retry as error:
                logger.error(
                    "a dead letter could not be kept; it comes again",
                    extra={"message_id": record["messageId"]},
                    exc_info=error,
                )
                failed.append(record["messageId"])
        logger.info("dead letters", extra={**counts, "failed": len(failed)})
        return failures_of(failed)

    def _rows(self, record: Mapping[str, Any], deadline: Deadline) -> Iterator[Row]:
        """The rows of one message, whatever it is. Raises Retry."""
        body = record["body"]
        now_s = self._clock.time_ns() / 1e9
        try:
            message = json.loads(body)
            if not isinstance(message, dict):
                raise RecordError("the message is no JSON object")
            if message.get("kind") == "quarantined":
                found = [rows.quarantined(message)]
            elif "DDBStreamBatchInfo" in message:
                found = self._given_up(message, deadline)
            elif "requestPayload" in message:
                found = [rows.invocation(message, now_s)]
            elif "sink" in message and "keys" in message:
                receives = record.get("attributes", {}).get("ApproximateReceiveCount", "too many")
                found = rows.parked(body, receives, now_s)
            else:
                found = [rows.unknown(body, None, now_s)]
        except _MALFORMED as error:
            found = [rows.unknown(body, error, now_s)]
        yield from found

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
