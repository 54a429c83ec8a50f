"""An AWS account in this process, and the service in it, for tests that need no server."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

import boto3
from moto.sqs.models import sqs_backends

from handler import run
from sync.recovery.parking import ParkedMessage
from sync.service import Service
from sync.sinks.counters import Counters
from sync.sinks.default_image import DefaultImage
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense
from sync.writing.fanout import AtOnce
from sync.writing.sink import Sink
from tests import settings
from tests.asked import Asked, invoked_by
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import one_by_one
from tests.doubles.wiring import Context
from tests.records import CORE, PRODUCTS
from tests.settings import LISTED, REGION

LETTERS = settings.ENV["DEAD_LETTER_TABLE"]
CONTRIBUTIONS = settings.ENV["CONTRIBUTIONS_TABLE"]
TYPESENSE_QUEUE = settings.ENV["TYPESENSE_QUEUE_URL"]
TYPESENSE_LETTERS = settings.ENV["TYPESENSE_DEAD_LETTER_QUEUE_URL"]
STATE = "stream-sync-test-state"
RUNS = "stream-sync-test-runs"
BUCKET = settings.ENV["PAYLOAD_BUCKET"]
ENV = {
    **settings.ENV,
    "OPENSEARCH_TIMEOUT_S": "3",
    "PARK_DELAY_S": "40",
    "STATE_TABLE": STATE,
    "RUNS_TABLE": RUNS,
    "RUNS_QUEUE_URL": f"{settings.QUEUES}/runs",
}
OBJECT = "aws/lambda/uuid/shard 1/2026/11/21/one"
CREATED = {  # what S3 says of it (S3 guide, notification-content-structure)
    "Records": [
        {
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": BUCKET},
                "object": {"key": "aws/lambda/uuid/shard+1/2026/11/21/one", "size": 1},
            },
        }
    ]
}
GIVEN_UP = {
    "requestContext": {
        "requestId": None,
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:stream",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 4,
    },
    "responseContext": None,
    "version": "1.0",
    "timestamp": "2026-11-21T08:00:00.000Z",
    "DDBStreamBatchInfo": {
        "shardId": "shard-1",
        "startSequenceNumber": "1",
        "endSequenceNumber": "9",
        "batchSize": 9,
        "streamArn": f"arn:aws:dynamodb:us-east-1:123456789012:table/{PRODUCTS}/stream/label",
    },
}


@cache
def client(service: str) -> Any:
    """Shared by all accounts: a client takes longer to make than most tests do."""
    return boto3.client(service, REGION)  # type: ignore[call-overload] # any service


ACTING: Final[ContextVar[str | None]] = ContextVar("ACTING", default=None)  # a function's name


class Account:
    """Tables, queues and bucket; make one within `mock_aws()` of tests/doubles/in_process.py.

    *memory* and *typesense* stand in for OpenSearch and Typesense; the other sinks are themselves.
    """

    def __init__(self) -> None:
        self.clock = ManualClock(1_800_000_100.0)  # past the records of tests/records.py
        self.memory = Memory()
        self.metrics: list[str] = []  # lines for CloudWatch
        self.typesense = Memory(versioned=False)
        self.at_once: AtOnce = one_by_one
        self.boto = client
        self.asked = Asked()
        self.clients = self.asked.clients(client, ACTING.get)
        self.images: Sink = DefaultImage(self.clients, CORE)
        self.dynamodb = self.boto("dynamodb")
        for name, *keys in (
            (CORE, "PK", "SK"),
            (PRODUCTS, "productId"),
            (STATE, "sink"),
            (RUNS, "run", "part"),
            (CONTRIBUTIONS, "id"),
        ):
            self._table(name, keys)
        self._table(LETTERS, ["id"], index=True)
        self.boto("s3").create_bucket(Bucket=BUCKET)
        self.boto("sns").subscribe(
            TopicArn=self.boto("sns").create_topic(Name="dead-letters")["TopicArn"],
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:123456789012:dead-letters",
            Attributes={"RawMessageDelivery": "true"},
        )
        for queue in ("resync", "runs", "dead-letters"):
            self.boto("sqs").create_queue(QueueName=queue)
        for url in (TYPESENSE_QUEUE, TYPESENSE_LETTERS):
            name = url.rpartition("/")[2]
            self.boto("sqs").create_queue(QueueName=name, Attributes={"FifoQueue": "true"})
        self.service = self.fresh()

    def fresh(self, **env: str) -> Service:
        """A service as of a cold start."""
        return Service(
            {**ENV, **env},
            self.clients,
            self.clock,
            sinks={
                OpenSearch: self.memory,
                Typesense: self.typesense,
                Counters: Counters(self.clients, contributions=CONTRIBUTIONS, counters=CORE),
                DefaultImage: self.images,
            },
            at_once=self.at_once,
            emit=self.metrics.append,
        )

    def call(self, command: str, **payload: Any) -> dict[str, Any]:
        """The answer to a command, which stands the way to JSON and back."""
        answer = self.handle({"command": command, **payload})
        plain: dict[str, Any] = json.loads(json.dumps(answer))
        return plain

    def consume(self, *bodies: Any, message_id: str = "m", queue: str = "dead-letters") -> Any:
        """What the consumer answers to messages; a body that is no text is written as JSON."""
        records = [
            {
                "messageId": f"{message_id}-{n}",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{queue}",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "6"},
            }
            for n, body in enumerate(bodies)
        ]
        return self.handle({"Records": records})

    def give_up(self, records: Sequence[Any], **document: Any) -> Any:
        """What the consumer answers once Lambda has written to the bucket that it gave up on
        *records* (Lambda guide, services-dynamodb-errors)."""
        self.boto("s3").put_object(
            Bucket=BUCKET,
            Key=OBJECT,
            Body=json.dumps({**GIVEN_UP, **document, "payload": json.dumps({"Records": records})}),
        )
        return self.consume(CREATED)

    @property
    def parked(self) -> list[ParkedMessage]:
        """The messages of the resync queue, whatever their delays."""
        queue = sqs_backends["123456789012"][REGION].queues["resync"]
        return [ParkedMessage.read(message.body) for message in queue._messages]

    def letters(self) -> list[str]:
        """What the topic delivered since."""
        sqs, found = self.boto("sqs"), []
        url = self.service.config.dead_letter_queue_url
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages", []
        ):
            found += [message["Body"] for message in messages]
        return found

    def handle(self, event: Any) -> Any:
        """The answer of a function to *event*."""
        before = ACTING.set(invoked_by(event))
        try:
            return run(event, Context(300_000), self.service)
        finally:
            ACTING.reset(before)

    def resync(self) -> Any:
        """Hand its worker what is parked, whatever the delays."""
        messages = self.parked
        sqs_backends["123456789012"][REGION].queues["resync"]._messages.clear()
        return self.consume(*(message.body() for message in messages), queue="resync")

    def work(self) -> Any:
        """Hand the worker of the Typesense queue what waits there; gives its last answer."""
        sqs, answer = self.boto("sqs"), None
        while True:
            received = sqs.receive_message(
                QueueUrl=TYPESENSE_QUEUE,
                MaxNumberOfMessages=10,
                MessageSystemAttributeNames=["All"],
            )
            if not (messages := received.get("Messages", [])):
                return answer
            records = [
                {
                    "messageId": message["MessageId"],
                    "eventSource": "aws:sqs",
                    "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:typesense.fifo",
                    "body": message["Body"],
                    "attributes": message["Attributes"],
                }
                for message in messages
            ]
            answer = self.handle({"Records": records})
            for message in messages:
                sqs.delete_message(QueueUrl=TYPESENSE_QUEUE, ReceiptHandle=message["ReceiptHandle"])

    def rows(self, status: str = "open") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call("dlq list", status=status)["rows"]
        return rows

    def put(self, product_id: str, **attributes: Mapping[str, Any]) -> None:
        item: Any = {"productId": {"S": product_id}, **attributes}
        self.dynamodb.put_item(TableName=PRODUCTS, Item=item)

    def document(self, product_id: str) -> Any:
        body = self.memory.documents.get(("products", product_id))
        return None if body is None else json.loads(body)

    def _table(self, name: str, keys: Iterable[str], *, index: bool = False) -> None:
        def schema(names: Iterable[str]) -> Any:
            kinds = ("HASH", "RANGE")
            return [{"AttributeName": n, "KeyType": k} for n, k in zip(names, kinds, strict=False)]

        names = [*keys, *(("status", "first_at") if index else ())]
        request: Any = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": "S"} for n in names],
            "KeySchema": schema(keys),
        }
        if index:
            request["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": "by-status",
                    "KeySchema": schema(["status", "first_at"]),
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)},
                }
            ]
        self.dynamodb.create_table(**request)
