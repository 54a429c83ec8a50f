"""The sending side of lanes: ops → messages of an SQS FIFO queue (requirements S3.3)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import uuid4

from sync.aws.batches import batches
from sync.aws.clients import EFFECT_S, Clients, failures
from sync.errors import Misconfigured, Refused, Retry, Unavailable
from sync.lanes.messages import Action, pack
from sync.runtime.deadline import Deadline
from sync.runtime.environment import matching
from sync.runtime.log import logger
from sync.runtime.retry import full_jitter, until_settled
from sync.runtime.waits import again_s
from sync.writing.lane import Lanes
from sync.writing.op import Done, Op, Outcome, Result

TRIES: Final = 3
_MOST_MESSAGES: Final = 10  # in one SendMessageBatch
_MOST_BYTES: Final = 250_000


@dataclass(frozen=True, slots=True)
class LaneMessage:
    """A message to send: *lane* is its message group."""

    lane: str
    body: str
    ops: Sequence[Op]  # those in the body
    # The deduplication id. SQS drops a message whose id it saw within five minutes, even if that
    # message was already handled. So the id is random, since a document may return to an older
    # state, and stays the same when a message is sent again.
    once: str


class Sender:
    """A Writer that sends the ops of *sink* to its FIFO queue.

    An op is WRITTEN when the queue has it. Ops of one document go to the same lane, so they are
    applied in the order in which they were sent. A message holds many actions of a lane: a hundred
    changes of 2 KB take at most four calls.
    """

    effect_s = EFFECT_S

    def __init__(
        self,
        sink: str,
        lanes: Lanes,
        queue_url: str,
        clients: Clients,
        *,
        dead_letter_queue_url: str = "",
    ) -> None:
        self.sink = sink
        self.queue_url = queue_url
        self.dead_letter_queue_url = dead_letter_queue_url
        self._lane_of = lanes.of
        self._clients = clients

    @classmethod
    def from_settings(
        cls, sink: str, lanes: Lanes, env: Mapping[str, str], clients: Clients
    ) -> Self:
        """Read the queue URLs from the variables that *lanes* names. Raises ConfigError."""
        what = r"https?://\S+\.fifo", "the URL of an SQS FIFO queue"
        return cls(
            sink,
            lanes,
            matching(env, lanes.queue_url, *what),
            clients,
            # It must be FIFO, like the queue itself (SQS guide, dead-letter queues).
            dead_letter_queue_url=matching(env, lanes.dead_letter_queue_url, *what),
        )

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        """See `Writer.write`."""
        lanes: dict[str, list[tuple[Op, str]]] = {}
        for op in ops:
            try:
                text = Action.of(op).fitting_text()
            except UnicodeDecodeError as error:
                refused = Refused("the body is not UTF-8")
                refused.__cause__ = error
                yield Outcome(op, refused)
            else:
                lanes.setdefault(self._lane_of(op), []).append((op, text))
        messages = (
            LaneMessage(lane, body, packed, uuid4().hex)
            for lane, texts in lanes.items()
            for body, packed in pack(texts)
        )
        for call in batches(
            messages, most=_MOST_MESSAGES, most_bytes=_MOST_BYTES, size=lambda m: len(m.body)
        ):
            for message, result in self._until_sent(call, deadline):
                yield from (Outcome(op, result) for op in message.ops)

    def _until_sent(
        self, messages: Sequence[LaneMessage], deadline: Deadline
    ) -> Iterator[tuple[LaneMessage, Result]]:
        """Send *messages*, with retries; yields the result of each."""

        def attempt(waiting: Sequence[LaneMessage]) -> Iterator[tuple[LaneMessage, Result]]:
            failed = self._send(waiting, deadline)
            return ((message, failed.get(message.once, Done.WRITTEN)) for message in waiting)

        def pause(retry: int, failed: Sequence[tuple[LaneMessage, Retry]]) -> bool:
            hopeless = all(isinstance(error, Misconfigured) for _, error in failed)
            return retry < TRIES and not hopeless and deadline.pause(full_jitter(retry))

        return until_settled(messages, attempt, pause)

    def _send(self, messages: Sequence[LaneMessage], deadline: Deadline) -> dict[str, Retry]:
        """Send *messages* in one call; returns the errors of those that failed, by `once`."""
        if not deadline.remaining():
            return dict.fromkeys((m.once for m in messages), Unavailable("no time is left"))
        entries = [
            {
                "Id": str(n),
                "MessageBody": message.body,
                "MessageGroupId": message.lane,
                "MessageDeduplicationId": message.once,
            }
            for n, message in enumerate(messages)
        ]
        what = f"sending to the queue of {self.sink}"
        try:
            with failures(what):
                answer = self._clients("sqs").send_message_batch(
                    QueueUrl=self.queue_url, Entries=entries
                )
        except Retry as error:
            return dict.fromkeys((message.once for message in messages), error)
        taken = {entry["Id"] for entry in answer.get("Successful", [])}
        causes = {entry["Id"]: _cause(what, entry) for entry in answer.get("Failed", [])}
        unknown = Unavailable(f"{what}: the message is missing in the response")
        return {
            message.once: causes.get(str(n), unknown)
            for n, message in enumerate(messages)
            if str(n) not in taken
        }

    def delay(self, records: Sequence[Mapping[str, Any]], lasts_s: float) -> None:
        """Set the visibility timeout of the failed SQS *records*.

        Their requests may take effect for *lasts_s*, so they stay invisible for longer than that,
        and twice as long at each receive. Meanwhile their lanes are blocked: without this call for
        the queue's own visibility timeout, which is longer than the worker's longest run.
        """
        for record in records:
            received = int(record["attributes"]["ApproximateReceiveCount"])
            try:
                with failures("setting the visibility timeout of a message"):
                    self._clients("sqs").change_message_visibility(
                        QueueUrl=self.queue_url,
                        ReceiptHandle=record["receiptHandle"],
                        VisibilityTimeout=again_s(lasts_s, received),
                    )
            except Retry as error:  # then the queue's own visibility timeout applies
                logger.warning("a lane waits for its queue's visibility timeout", exc_info=error)
                return


def _cause(what: str, failed: Mapping[str, Any]) -> Retry:
    """The error of an entry that SQS refused."""
    kind = Misconfigured if failed.get("SenderFault") else Unavailable
    return kind(f"{what}: {failed['Code']}: {failed.get('Message', '')}")
