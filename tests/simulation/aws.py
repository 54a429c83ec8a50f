"""boto3's low-level clients, as the service calls them, on simulated services.

Limits and shapes follow the API references; a request that breaks one fails as AWS fails it.
Requests keep the parameter names of AWS, so clients take them as they come: `**given`.
"""

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Final

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from sync.aws.clients import CALL_S, EFFECT_S
from tests.simulation.calls import LATE, WHOLE, Calls, Fault
from tests.simulation.queues import FifoQueue, Queue
from tests.simulation.table import plain_copy
from tests.simulation.topic import Bucket, Topic

FIFO_SITE: Final = "sqs.send_message_batch fifo"
FIFO_LATEST_S: Final = EFFECT_S - CALL_S - 0.5  # after its caller has given up
EXPIRED: Final = "parked for 14 days"  # what a letter of a key that waited so long says
LISTED: Final = 2  # objects in a page of S3
BATCH: Final = WHOLE | {Fault.PARTIAL}

Effect = Callable[[bool], Any]


def client_error(
    code: str, message: str, status: int = 400, kind: type[ClientError] = ClientError
) -> ClientError:
    return kind(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "Simulated",
    )


class AwsErrors:
    """What boto3 raises for the faults of calls."""

    def throttled(self) -> Exception:
        return client_error("ThrottlingException", "Rate exceeded")

    def server_error(self) -> Exception:
        return client_error("InternalServerError", "Try again", 500)

    def timeout(self) -> Exception:
        return ReadTimeoutError(endpoint_url="https://simulated")

    def cut(self) -> Exception:
        return ConnectionClosedError(endpoint_url="https://simulated")


ERRORS: Final = AwsErrors()


class Aws:
    """The services of one account.

    *late_fifo*: what is sent to a FIFO queue may come late. Nothing orders it then, so nothing else
    must go wrong: a sender that is gone would be followed by one that knows nothing of it.
    """

    def __init__(self, calls: Calls, *, late_fifo: bool = False) -> None:
        self.calls = calls
        self.late_fifo = frozenset([Fault.TIMEOUT_LATE] if late_fifo else [])
        self.queues: dict[str, Queue] = {}
        self.topics: dict[str, Topic] = {}
        self.buckets: dict[str, Bucket] = {}
        self.clients: dict[str, Any] = {"sqs": Sqs(self), "sns": Sns(self), "s3": S3(self)}

    def client(self, service: str) -> Any:
        """What `sync.aws.clients.client` gives."""
        return self.clients[service]

    def call(
        self,
        site: str,
        effect: Effect,
        possible: frozenset[Fault] = WHOLE,
        latest_s: float = float("inf"),
    ) -> Any:
        """Answers are copies, so that no caller holds a part of a service."""
        return self.calls.make(
            site,
            lambda partial: plain_copy(effect(partial)),
            ERRORS,
            timeout_s=CALL_S,
            possible=possible,
            latest_s=latest_s,
        )

    def some(self, entries: Sequence[Any], *, partial: bool) -> list[bool]:
        """Which of *entries* are to fail; of a partial failure, at least one."""
        if not partial:
            return [False] * len(entries)
        random = self.calls.world.random
        failing = [random.random() < 0.5 for _ in entries]
        failing[random.randrange(len(entries))] = True
        return failing


class Sqs:
    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def send_message_batch(self, **given: Any) -> dict[str, Any]:
        url, entries = given["QueueUrl"], list(given["Entries"])
        fifo = url.endswith(".fifo")

        def effect(partial: bool) -> dict[str, Any]:
            queue = self._aws.queues.get(url)
            if queue is None:
                raise client_error("QueueDoesNotExist", url)
            _check_batch(entries, "MessageBody")
            answer: dict[str, Any] = {"Successful": [], "Failed": []}
            for entry, fails in zip(entries, self._aws.some(entries, partial=partial), strict=True):
                if fails:
                    answer["Failed"].append(_failed(entry))
                else:
                    message_id = _send(queue, entry)
                    answer["Successful"].append({"Id": entry["Id"], "MessageId": message_id})
            return answer

        answer: dict[str, Any] = self._aws.call(
            FIFO_SITE if fifo else "sqs.send_message_batch",
            effect,
            BATCH | (self._aws.late_fifo if fifo else LATE),
            latest_s=FIFO_LATEST_S if fifo else float("inf"),
        )
        return answer

    def change_message_visibility(self, **given: Any) -> None:
        def effect(_partial: bool) -> None:
            queue = self._aws.queues[given["QueueUrl"]]
            for message in queue.messages:
                if message.id == given["ReceiptHandle"]:
                    queue.release(message, given["VisibilityTimeout"])

        self._aws.call("sqs.change_message_visibility", effect)


def _send(queue: Queue, entry: Any) -> str:
    """Send one entry; gives the message's id. Raises ClientError."""
    body, delay_s = entry["MessageBody"], entry.get("DelaySeconds", 0)
    if not isinstance(queue, FifoQueue):
        if not 0 <= delay_s <= 900:
            raise client_error("InvalidParameterValue", f"DelaySeconds {delay_s}")
        return queue.send(body, delay_s)
    try:
        group, once = entry["MessageGroupId"], entry["MessageDeduplicationId"]
        return queue.send(body, delay_s, group=group, once=once)
    except (KeyError, ValueError) as error:
        raise client_error("InvalidParameterValue", str(error)) from error


class Sns:
    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def publish_batch(self, **given: Any) -> dict[str, Any]:
        arn, entries = given["TopicArn"], list(given["PublishBatchRequestEntries"])

        def effect(partial: bool) -> dict[str, Any]:
            topic = self._aws.topics.get(arn)
            if topic is None:
                raise client_error("NotFound", "Topic does not exist", 404)
            _check_batch(entries, "Message")
            answer: dict[str, Any] = {"Successful": [], "Failed": []}
            for entry, fails in zip(entries, self._aws.some(entries, partial=partial), strict=True):
                if fails:
                    answer["Failed"].append(_failed(entry))
                else:
                    if EXPIRED in entry["Message"]:
                        self._aws.calls.fired["world", "parked key expired"] += 1
                    topic.publish(entry["Message"])
                    answer["Successful"].append({"Id": entry["Id"], "MessageId": entry["Id"]})
            return answer

        answer: dict[str, Any] = self._aws.call("sns.publish_batch", effect, BATCH | LATE)
        return answer


class NoSuchKey(ClientError): ...


class S3:
    exceptions: Final = SimpleNamespace(NoSuchKey=NoSuchKey)

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def put_object(self, **given: Any) -> dict[str, Any]:
        def effect(_partial: bool) -> dict[str, Any]:
            self._bucket(given["Bucket"]).put(given["Key"], bytes(given["Body"]))
            return {}

        answer: dict[str, Any] = self._aws.call("s3.put_object", effect, WHOLE | LATE)
        return answer

    def get_object(self, **given: Any) -> dict[str, Any]:
        def effect(_partial: bool) -> dict[str, Any]:
            body = self._bucket(given["Bucket"]).objects.get(given["Key"])
            if body is None:
                raise client_error("NoSuchKey", given["Key"], 404, kind=NoSuchKey)
            return {"Body": Body(body)}

        answer: dict[str, Any] = self._aws.call("s3.get_object", effect)
        return answer

    def get_paginator(self, operation: str) -> Any:
        """Of objects by prefix, in pages of a few."""
        if operation != "list_objects_v2":
            raise NotImplementedError(operation)
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, **given: Any) -> Iterator[dict[str, Any]]:
        def effect(_partial: bool) -> list[str]:
            objects = self._bucket(given["Bucket"]).objects
            return sorted(key for key in objects if key.startswith(given["Prefix"]))

        keys = self._aws.call("s3.list_objects_v2", effect)
        yield from (
            {"Contents": [{"Key": key} for key in keys[at : at + LISTED]]}
            for at in range(0, len(keys), LISTED)
        )
        if not keys:
            yield {}

    def delete_object(self, **given: Any) -> dict[str, Any]:
        def effect(_partial: bool) -> dict[str, Any]:
            self._bucket(given["Bucket"]).objects.pop(given["Key"], None)
            return {}

        answer: dict[str, Any] = self._aws.call("s3.delete_object", effect)
        return answer

    def _bucket(self, name: str) -> Bucket:
        if name not in self._aws.buckets:
            raise client_error("NoSuchBucket", name, 404)
        return self._aws.buckets[name]


class Body:
    """The body of an object, as a stream."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self) -> bytes:
        return self._body


def _failed(entry: Any) -> dict[str, Any]:
    return {"Id": entry["Id"], "Code": "InternalError", "Message": "one", "SenderFault": False}


def _check_batch(entries: Sequence[Any], body: str) -> None:
    if not 1 <= len(entries) <= 10 or len({entry["Id"] for entry in entries}) < len(entries):
        raise client_error("InvalidBatch", f"{len(entries)} entries, or two of one id")
    size = sum(len(entry[body].encode()) for entry in entries)
    if size > 262_144:
        raise client_error("BatchRequestTooLong", f"{size} bytes")
