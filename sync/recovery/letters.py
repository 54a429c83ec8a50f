"""Dead letters: building them, and publishing them to the dead-letter topic."""

import hashlib
import json
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from sync.aws.batches import batches
from sync.aws.clients import Clients, failures
from sync.aws.keys import AttributeMap, identity
from sync.errors import Retry, Unavailable
from sync.recovery.bodies import Bodies, folder
from sync.recovery.state import state_in
from sync.runtime.clock import Clock, now_s
from sync.runtime.jsontext import compact
from sync.runtime.log import logger
from sync.runtime.moments import iso
from sync.writing.metrics import Metrics
from sync.writing.op import Op

SCHEMA: Final = 1  # messages outlive deploys: readers check it first
INLINE_BYTES: Final = 200_000  # of a body; an SNS message holds 256 KB, with its envelope
_BATCH_ENTRIES, _BATCH_BYTES = 10, 250_000  # limits of one PublishBatch request
LONGEST_ERROR, LONGEST_TRACE = 2_000, 8_000  # characters of a dead letter, and of its row


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that a sink refused or, without a *sink*, that could not be planned.

    *keys*: None if the record has no valid keys. *version*: of the failed write; 0 if unknown.
    """

    raw: Any  # the stream record as delivered, or what a worker knows of the item
    error: Exception
    table: str | None = None
    keys: AttributeMap | None = None
    sink: str | None = None
    target: str | None = None
    document_id: str | None = None
    version: int = 0

    @classmethod
    def of_op(cls, raw: Any, error: Exception, op: Op) -> Self:
        """The dead letter of *op*, which failed with *error*; *raw* is what asked for the op."""
        return cls(
            raw,
            error,
            table=op.source.table,
            keys=op.source.keys,
            sink=op.sink,
            target=op.target,
            document_id=op.id,
            version=op.version,
        )

    @property
    def id(self) -> str:
        """Identifies one write of one record to one sink; equal at every redelivery."""
        event = self.raw.get("eventID") if isinstance(self.raw, dict) else None
        what = event if isinstance(event, str) and event else compact(self.raw)
        return digest(
            what, str(self.sink), str(self.target), str(self.document_id), str(self.version)
        )

    def envelope(self, now_s: float) -> dict[str, Any]:
        """The message without the record; *now_s*: the time of publishing, in epoch seconds."""
        trace = "".join(traceback.format_exception(self.error))
        return {
            "schema": SCHEMA,
            "kind": "quarantined",
            "id": self.id,
            "at": iso(now_s),
            "table": self.table,
            "keys": self.keys,
            "sink": self.sink,
            "target": self.target,
            "document_id": self.document_id,
            "version": self.version,
            "state": state_in(self.raw),
            "error": {
                "class": type(self.error).__name__,
                "message": str(self.error)[:LONGEST_ERROR],
                "trace": trace[-LONGEST_TRACE:],
            },
        }


def digest(*parts: str) -> str:
    """A hash of *parts*, 32 hexadecimal digits; lone surrogates are allowed."""
    return hashlib.sha256("|".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


def row_id(table: str, keys: AttributeMap, sink: str | None) -> str:
    """The id of the dead-letter row of a key and a sink (None: of all sinks)."""
    return digest("key", table, json.dumps(identity(keys)), sink or "")


class DeadLetters:
    """Publishes dead letters to the SNS topic *topic_arn*; bodies over 200 KB go to *bucket*."""

    def __init__(
        self,
        topic_arn: str,
        bucket: str,
        clients: Clients,
        clock: Clock,
        *,
        metrics: Metrics | None = None,
    ) -> None:
        self._topic_arn = topic_arn
        self._bodies = Bodies(bucket, clients)
        self._clients = clients
        self._clock = clock
        self._metrics = metrics

    def publish(self, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, Retry]]:
        """Log and publish *letters*; yields those that could not be published, with the reason.

        Lazy: the caller has to consume the result.
        """
        for letter, error in self._publish(letters):
            logger.error(
                "a dead letter could not be published; its cause will come again",
                extra={"id": letter.id, "table": letter.table, "keys": letter.keys},
                exc_info=error,
            )
            yield letter, error

    def _publish(self, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, Retry]]:
        messages: list[tuple[DeadLetter, str]] = []
        now = now_s(self._clock)
        for letter in letters:
            envelope = letter.envelope(now)
            logger.error("quarantined", extra=envelope)
            if self._metrics is not None:
                self._metrics.count(letter.sink, "refused")
            try:
                messages.append((letter, self._message(letter, envelope)))
            except Retry as error:
                yield letter, error
        for batch in batches(
            messages, most=_BATCH_ENTRIES, most_bytes=_BATCH_BYTES, size=lambda m: len(m[1])
        ):
            entries = [{"Id": str(n), "Message": text} for n, (_, text) in enumerate(batch)]
            try:
                with failures("publishing dead letters"):
                    answer = self._clients("sns").publish_batch(
                        TopicArn=self._topic_arn, PublishBatchRequestEntries=entries
                    )
            except Retry as error:
                yield from ((letter, error) for letter, _ in batch)
                continue
            for failed in answer.get("Failed", []):
                letter, _ = batch[int(failed["Id"])]
                yield letter, Unavailable(f"SNS: {failed['Code']}: {failed.get('Message', '')}")

    def _message(self, letter: DeadLetter, envelope: Mapping[str, Any]) -> str:
        """The message as JSON, with the record or a pointer to it. Raises Retry."""
        record = compact(letter.raw)
        if len(record) <= INLINE_BYTES:
            return f'{compact(envelope)[:-1]},"record":{record}}}'
        if letter.table is not None and letter.keys is not None:
            row = row_id(letter.table, letter.keys, letter.sink)
        else:
            row = letter.id
        payload = self._bodies.keep(f"{folder(row)}{letter.id}.json", record)
        return compact({**envelope, "payload": payload.plain()})
