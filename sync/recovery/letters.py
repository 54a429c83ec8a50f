"""What could not be written, handed on whole: to the dead-letter topic, large bodies through S3."""

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
from sync.runtime.clock import Clock
from sync.runtime.jsontext import compact
from sync.runtime.log import logger
from sync.runtime.moments import iso
from sync.writing.metrics import Metrics
from sync.writing.op import Op

SCHEMA: Final = 1  # messages outlive deploys; a reader looks here first
INLINE_BYTES: Final = 200_000  # an SNS message holds 256 KB; the rest is room for the envelope
_BATCH_ENTRIES, _BATCH_BYTES = 10, 250_000  # limits of one PublishBatch request
_LONGEST_MESSAGE, _LONGEST_TRACE = 2_000, 8_000  # characters


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that one sink can't have (or, without a sink, that no model could read).

    *keys* are None where no item can have them. *version* is that of the write that failed, 0 where
    it can't be told.
    """

    raw: Any  # the stream record as it came
    error: Exception
    table: str | None = None
    keys: AttributeMap | None = None
    sink: str | None = None
    target: str | None = None
    document_id: str | None = None
    version: int = 0

    @classmethod
    def of_op(cls, raw: Any, error: Exception, op: Op) -> Self:
        """A letter about *op*, which its sink can't have."""
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
        """The same for one write of a record to a sink, however often it is delivered."""
        event = self.raw.get("eventID") if isinstance(self.raw, dict) else None
        what = event if isinstance(event, str) and event else compact(self.raw)
        return digest(
            what, str(self.sink), str(self.target), str(self.document_id), str(self.version)
        )

    def envelope(self, now_s: float) -> dict[str, Any]:
        """Everything but the record; *now_s* (epoch seconds) is when it is published."""
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
                "message": str(self.error)[:_LONGEST_MESSAGE],
                "trace": trace[-_LONGEST_TRACE:],
            },
        }


def digest(*parts: str) -> str:
    """32 hexadecimal digits that stand for *parts*, whatever characters those hold."""
    return hashlib.sha256("|".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def row_id(table: str, keys: AttributeMap, sink: str | None) -> str:
    """The id of the one row that the letters of a key and a sink share."""
    return digest("key", table, json.dumps(identity(keys)), sink or "")


class DeadLetters:
    """Publishes dead letters to *topic_arn*; bodies over 200 KB go to *bucket* first."""

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
        """Log and publish *letters*; yield those that could not be published, with the reason."""
        for letter, error in self._publish(letters):
            logger.error(
                "a dead letter could not be published; its cause will come again",
                extra={"id": letter.id, "table": letter.table, "keys": letter.keys},
                exc_info=error,
            )
            yield letter, error

    def _publish(self, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, Retry]]:
        messages: list[tuple[DeadLetter, str]] = []
        now_s = self._clock.time_ns() / 1e9
        for letter in letters:
            envelope = letter.envelope(now_s)
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
        record = compact(letter.raw)
        if len(record) <= INLINE_BYTES:
            return f'{compact(envelope)[:-1]},"record":{record}}}'
        named = letter.table is not None and letter.keys is not None
        of = row_id(str(letter.table), letter.keys or {}, letter.sink) if named else letter.id
        payload = self._bodies.keep(f"{folder(of)}{letter.id}.json", record)
        return compact({**envelope, "payload": payload.plain()})
