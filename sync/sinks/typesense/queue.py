"""The Typesense sink of the stream: ops become messages of an SQS FIFO queue (SPEC S3.3)."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from sync.aws.batches import batches
from sync.aws.clients import EFFECT_S, Clients, failures
from sync.aws.clients import client as aws_client
from sync.errors import ConfigError, Misconfigured, Refused, Retry, Unavailable
from sync.runtime.backoff import full_jitter
from sync.runtime.deadline import Deadline
from sync.runtime.environment import matching
from sync.runtime.log import logger
from sync.runtime.waits import again_s
from sync.sinks.typesense.messages import Action, pack, read
from sync.sinks.typesense.sink import TypesenseDirect
from sync.writing.op import Done, Op, Outcome
from sync.writing.sink import Schematic, Sink, Worker

if TYPE_CHECKING:
    from sync.deadletters.brake import Brake
    from sync.deadletters.letters import DeadLetters
    from sync.model.model import Model
    from sync.recovery.parking import Parking
    from sync.recovery.resync import Resync
    from sync.writing.fanout import Fanout

# Another number sends a document's actions down another lane, where they can overtake those under
# way: the queue has to be empty when it changes.
LANES: Final = 32
TRIES: Final = 3
_MOST_MESSAGES: Final = 10  # in one SendMessageBatch
_MOST_BYTES: Final = 250_000


@dataclass(frozen=True, slots=True)
class Message:
    lane: str
    body: str
    ops: Sequence[Op]  # what it speaks of
    # SQS drops what repeats an id within five minutes, handled or not. So it is new for each
    # message, since an older state may rightly come again, and the same when one is sent again.
    once: str


class Typesense:
    """Actions on their way to Typesense; a worker writes them (worker.py).

    Written means that the queue has it. Actions of one document share a lane, a FIFO group, so
    they are applied in the order in which they were sent. A message holds many actions of a lane:
    a hundred changes of 2 KB take four calls at most.
    """

    name: ClassVar[str] = "typesense"
    skips_equal: ClassVar[bool] = True
    effect_s = EFFECT_S

    def __init__(
        self,
        queue_url: str,
        clients: Clients = aws_client,
        direct: Callable[[], Sink] | None = None,
        *,
        dead_letter_queue_url: str = "",
    ) -> None:
        """*direct* makes the sink that the worker writes to, and that `prepare` asks."""
        self.queue_url = queue_url
        self.dead_letter_queue_url = dead_letter_queue_url
        self._clients = clients
        self._direct = direct

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        what = r"https?://\S+\.fifo", "the URL of an SQS FIFO queue"
        return cls(
            matching(env, "TYPESENSE_QUEUE_URL", *what),
            direct=lambda: TypesenseDirect.from_env(env),
            # A FIFO queue's redrive leads to a FIFO queue alone (SQS guide, dead-letter queues).
            dead_letter_queue_url=matching(env, "TYPESENSE_DEAD_LETTER_QUEUE_URL", *what),
        )

    @classmethod
    def schema(cls, models: Sequence[type["Model"]]) -> dict[str, Any]:
        return TypesenseDirect.schema(models)

    def prepare(self, target: str, schema: Mapping[str, Any]) -> str:
        """Make or extend the collection behind *target*. Raises Retry and ConfigError."""
        direct = self.direct()
        if not isinstance(direct, Schematic):
            raise ConfigError(f"{direct.name} prepares nothing")
        return direct.prepare(target, schema)

    def direct(self) -> Sink:
        """The sink that the worker writes to. Raises ConfigError."""
        if self._direct is None:
            raise ConfigError("this sink knows the queue alone")
        return self._direct()

    def worker(
        self,
        fanout: "Fanout",
        resync: "Resync",
        parking: "Parking",
        dead_letters: "DeadLetters",
        brake: "Brake",
    ) -> Worker:
        from sync.sinks.typesense.worker import TypesenseWorker

        return TypesenseWorker(fanout, resync, parking, dead_letters, brake, self.come_again)

    def contents(self, body: str) -> Sequence[tuple[Op, str]]:
        return [(action.op(), action.text()) for action in read(body)]

    def come_again(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Let messages that failed come again once the last attempt's requests are over, then
        after twice as long each time.

        A lane waits for its failed message until the message is visible again, which by the
        queue's own setting is long after the longest run of the worker.
        """
        lasts_s = self.direct().effect_s if records else 0.0
        for record in records:
            received = int(record["attributes"]["ApproximateReceiveCount"])
            try:
                with failures("letting a message come again"):
                    self._clients("sqs").change_message_visibility(
                        QueueUrl=self.queue_url,
                        ReceiptHandle=record["receiptHandle"],
                        VisibilityTimeout=again_s(lasts_s, received),
                    )
            except Retry as error:  # then it takes as long as the queue says
                logger.warning("a lane waits for its queue's visibility timeout", exc_info=error)
                return

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        lanes: dict[str, list[tuple[Op, str]]] = {}
        for op in ops:
            try:
                text = Action.of(op).fitting_text()
            except UnicodeDecodeError as error:
                refused = Refused("the body is not UTF-8")
                refused.__cause__ = error
                yield Outcome(op, refused)
            else:
                lanes.setdefault(lane_of(op), []).append((op, text))
        messages = (
            Message(lane, body, packed, os.urandom(16).hex())
            for lane, texts in lanes.items()
            for body, packed in pack(texts)
        )
        for call in batches(
            messages, most=_MOST_MESSAGES, most_bytes=_MOST_BYTES, size=lambda m: len(m.body)
        ):
            yield from self._write(call, deadline)

    def _write(self, waiting: Sequence[Message], deadline: Deadline) -> Iterator[Outcome]:
        """Send *waiting*, and again what may pass, until it has or tries or time run out."""
        retry = 0
        while waiting:
            failed = self._send(waiting, deadline)
            for message in waiting:
                if message.once not in failed:
                    yield from (Outcome(op, Done.WRITTEN) for op in message.ops)
            retry += 1
            waiting = [message for message in waiting if message.once in failed]
            hopeless = all(isinstance(error, Misconfigured) for error in failed.values())
            if waiting and (hopeless or retry == TRIES or not deadline.pause(full_jitter(retry))):
                for message in waiting:
                    yield from (Outcome(op, failed[message.once]) for op in message.ops)
                return

    def _send(self, messages: Sequence[Message], deadline: Deadline) -> dict[str, Retry]:
        """One call; returns why which messages, by `once`, were not taken."""
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
        try:
            with failures("sending to the Typesense queue"):
                answer = self._clients("sqs").send_message_batch(
                    QueueUrl=self.queue_url, Entries=entries
                )
        except Retry as error:
            return dict.fromkeys((message.once for message in messages), error)
        taken = {entry["Id"] for entry in answer.get("Successful", [])}
        causes = {entry["Id"]: _cause(entry) for entry in answer.get("Failed", [])}
        unknown = Unavailable("sending to the Typesense queue: the answer leaves it out")
        return {
            message.once: causes.get(str(n), unknown)
            for n, message in enumerate(messages)
            if str(n) not in taken
        }


def lane_of(op: Op) -> str:
    """The lane of an op's document, the same in every process and release."""
    digest = hashlib.blake2b(f"{op.target}\0{op.id}".encode(errors="surrogatepass"), digest_size=4)
    return str(int.from_bytes(digest.digest()) % LANES)


def _cause(failed: Mapping[str, Any]) -> Retry:
    kind = Misconfigured if failed.get("SenderFault") else Unavailable
    return kind(f"sending to the Typesense queue: {failed['Code']}: {failed.get('Message', '')}")
