"""The consumer of the dead-letter queues: stores each message as rows of the dead-letter table."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote_plus

from sync.aws.responses import BatchResponse, failures_of
from sync.deadletters import rows
from sync.deadletters.row import Row, folded
from sync.deadletters.table import DeadLetterTable
from sync.errors import NotTried, RecordError, RegistryError, Retry
from sync.lanes.messages import read
from sync.model.registry import Registry
from sync.recovery.bodies import Bodies, Payload, folder
from sync.runtime.clock import Clock, now_s
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.writing.metrics import Metrics

INLINE_BYTES: Final = 200_000  # an item holds 400 KB; larger bodies go to S3
_MALFORMED: Final = (
    RecordError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
)


class DeadLetterConsumer:
    """Handles messages of the dead-letter queues. Malformed messages are stored too, whole.

    *wait_s*: for how long after an invocation its requests to sinks may still take effect.
    """

    def __init__(
        self,
        registry: Registry,
        table: DeadLetterTable,
        bodies: Bodies,
        clock: Clock,
        metrics: Metrics,
        *,
        wait_s: float,
    ) -> None:
        self._registry = registry
        self._table = table
        self._bodies = bodies
        self._clock = clock
        self._metrics = metrics
        self._wait_s = wait_s

    def run(
        self, records: Sequence[Mapping[str, Any]], deadline: Deadline, *, of: str | None = None
    ) -> BatchResponse:
        """Store the SQS *records*; returns the messages that SQS is to deliver again.

        *of*: the sink from whose lanes' dead-letter queue they are. None: the dead-letter queue.
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
        of: str | None,
        deadline: Deadline,
        counts: Counter[str],
    ) -> bool:
        """Store the rows of one message; returns whether all were stored.

        If one fails, the others are stored all the same.
        """
        failures: list[Retry] = []
        objects: list[Payload] = []
        try:
            letters = folded(self._queued(record, of) if of else self._letters(record, objects))
            known = self._table.known([letter.id for letter in letters], deadline)
        except Retry as error:
            letters, known = [], {}
            failures.append(error)
        for letter in letters:
            try:
                if not deadline.remaining():
                    raise NotTried("time is up")
                counts[self._keep(letter, known.get(letter.id), deadline)] += 1
            except Retry as error:
                failures.append(error)
        try:
            if not failures:
                for payload in objects:  # their records are stored as rows now
                    self._bodies.remove(payload)
        except Retry as error:
            failures.append(error)
        if failures:
            logger.error(
                "dead letters could not be kept; their message comes again",
                extra={
                    "message_id": record["messageId"],
                    "rows": len(letters),
                    "failures": len(failures),
                },
                exc_info=failures[0],
            )
        return not failures

    def _queued(self, record: Mapping[str, Any], of: str) -> list[Row]:
        """The rows of a message from a lane of the sink *of*."""
        at_s = now_s(self._clock)
        try:
            receives = _receives(record)
            found = [
                rows.queued(of, action, receives, at_s, wait_s=self._wait_s)
                for action in read(record["body"])
            ]
            if not found:
                raise RecordError("the message contains no action")
            return found
        except _MALFORMED as error:
            return [rows.unknown(record["body"], error, at_s, sink=of)]

    def _letters(self, record: Mapping[str, Any], objects: list[Payload]) -> list[Row]:
        """The rows of one message of the dead-letter queue, whatever its kind. Raises Retry.

        Adds to *objects* the objects to delete once the rows are stored.
        """
        body = record["body"]
        at_s = now_s(self._clock)
        try:
            message = json.loads(body)
            if not isinstance(message, dict):
                raise RecordError("the message is not a JSON object")
            if message.get("Event") == "s3:TestEvent":  # S3 sends it when notifications are set up
                return []
            if {"run", "segment", "hop"} <= message.keys():
                # Nothing is lost with it: the segment's row says that it stands still, and the
                # schedule of `recover` sends another message (sync/runs/control.py).
                logger.warning("the message of a run came too often", extra={"of": message})
                return []
            if isinstance(message.get("Records"), list):
                found = []
                for event in message["Records"]:
                    found += self._object(event, objects, at_s)
            elif message.get("kind") == "quarantined":
                found = [rows.quarantined(message)]
            elif "DDBStreamBatchInfo" in message:
                found = [rows.lost_range(message)]
            elif "requestPayload" in message:
                found = [rows.invocation(message, at_s)]
            elif "sink" in message and "keys" in message:
                found = rows.parked(body, _receives(record), at_s)
            else:
                return [rows.unknown(body, None, at_s)]
            if not found and not objects:
                raise RecordError("the message names no key")
            return found
        except _MALFORMED as error:
            return [rows.unknown(body, error, at_s)]

    def _object(self, event: Any, objects: list[Payload], at_s: float) -> list[Row]:
        """The rows of an object in the payload bucket, which S3's *event* announces.

        Lambda writes such an object for a batch that it gave up on: its on-failure document and, as
        text in `payload`, the whole event (Lambda guide, services-dynamodb-errors). If the object
        is gone, its message was handled before. Adds the object to *objects*. Raises Retry, and one
        of _MALFORMED if *event* is malformed.
        """
        s3 = event["s3"]
        # Nobody asks for its size here.
        payload = Payload(str(s3["bucket"]["name"]), unquote_plus(s3["object"]["key"]), bytes=0)
        text = self._bodies.find(payload)
        if text is None:
            logger.info("an on-failure object is gone: handled before", extra={"key": payload.key})
            objects.append(payload)
            return []
        try:
            document = json.loads(text)
            records = json.loads(document["payload"])["Records"]
            found = [rows.given_up(raw, document, wait_s=self._wait_s) for raw in records]
            if not found:
                raise RecordError("the object contains no record")
        except _MALFORMED as error:
            return [rows.unknown(text, error, at_s)]  # the object is not deleted
        objects.append(payload)
        return found

    def _keep(self, letter: Row, known: Row | None, deadline: Deadline) -> str:
        """Merge *letter* into its row, which is *known* so far. Raises Retry.

        Returns "kept", or "known" if the row did not change.
        """
        letter = replace(letter, model=self._model(letter))
        if known is not None and known.letter == letter.letter:
            return "known"
        if letter.body is not None and len(letter.body.encode()) > INLINE_BYTES:
            key = f"{folder(letter.id)}{letter.letter}.json"
            letter = replace(letter, body=None, payload=self._bodies.keep(key, letter.body))
        if not self._table.record(letter, known, deadline):
            return "known"
        logger.error("dead letter", extra=letter.summary())
        self._metrics.count(None, "dead_letters")
        return "kept"

    def _model(self, row: Row) -> str | None:
        """The name of the model that matches the key of *row*."""
        if row.table is None or row.keys is None:
            return None
        try:
            pattern = self._registry.match(row.table, row.keys)
        except (RecordError, RegistryError):
            return None
        return pattern.model.__name__ if pattern else None


def _receives(record: Mapping[str, Any]) -> str:
    """How often SQS has delivered the message, if the record says so."""
    receives: str = record.get("attributes", {}).get("ApproximateReceiveCount", "too many")
    return receives
