"""An SQS FIFO queue in memory, as its sender and Lambda's event source mapping see it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from sync.aws.responses import BatchResponse

ARN: Final = "arn:aws:sqs:us-east-1:123456789012:typesense.fifo"
URL: Final = "https://sqs.us-east-1.amazonaws.com/123456789012/typesense.fifo"
_MOST_BYTES: Final = 262_144  # in a message, and in a call
_MOST_ENTRIES: Final = 10  # in a call, and in a batch of a FIFO queue

Handle = Callable[[Sequence[Mapping[str, Any]]], BatchResponse]


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    group: str
    body: str


class Fifo:
    """Stands in for boto3's client; what it is sent is handled by `pump`.

    A deduplication id that was seen is accepted and dropped. *trouble* is asked before a call
    takes effect, and after it, and may raise; entries that it returns are failed.
    """

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.waiting: list[Message] = []
        self.trouble: Callable[[str, list[dict[str, Any]]], Sequence[str]] = lambda *_: ()
        self.visible_in: dict[str, int] = {}  # seconds, by receipt handle
        self._seen: set[str] = set()
        self._ids = count(1)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        assert QueueUrl == URL
        assert 1 <= len(Entries) <= _MOST_ENTRIES
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        assert sum(len(entry["MessageBody"].encode()) for entry in Entries) <= _MOST_BYTES
        self.calls.append(Entries)
        failed = self.trouble("before", Entries)
        for entry in Entries:
            if entry["Id"] not in failed and entry["MessageDeduplicationId"] not in self._seen:
                self._seen.add(entry["MessageDeduplicationId"])
                self.waiting.append(
                    Message(f"m{next(self._ids)}", entry["MessageGroupId"], entry["MessageBody"])
                )
        self.trouble("after", Entries)
        return {
            "Successful": [{"Id": e["Id"]} for e in Entries if e["Id"] not in failed],
            "Failed": [{"Id": id_, "Code": "Busy", "SenderFault": False} for id_ in failed],
        }

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        ReceiptHandle: str,  # noqa: N803
        VisibilityTimeout: int,  # noqa: N803
    ) -> None:
        assert QueueUrl == URL
        assert 0 <= VisibilityTimeout <= 43_200
        self.trouble("visibility", [])
        self.visible_in[ReceiptHandle] = VisibilityTimeout

    def pump(self, handle: Handle, *, rounds: int = 1_000) -> None:
        """Hand over batches of waiting messages until none is left; what is reported stays."""
        while self.waiting and rounds:
            rounds -= 1
            batch = self.waiting[:_MOST_ENTRIES]
            failed = {f["itemIdentifier"] for f in handle(records(batch))["batchItemFailures"]}
            assert failed <= {message.id for message in batch}
            self.waiting = [m for m in self.waiting if m not in batch or m.id in failed]


def records(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """*messages* as Lambda's event holds them."""
    return [
        {
            "messageId": message.id,
            "receiptHandle": f"handle of {message.id}",
            "body": message.body,
            "attributes": {"MessageGroupId": message.group, "ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
            "eventSourceARN": ARN,
        }
        for message in messages
    ]
