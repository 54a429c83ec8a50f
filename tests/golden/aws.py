"""A fake AWS that records every call of the service.

Nothing here imports the service. Calls are recorded where boto3 makes them, so it does not matter
which part of the service made the client. DynamoDB and S3 are those of an account in this process.
Queues, topic, metrics and secret answer with constants.
"""

import copy
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from unittest import mock

import boto3
from botocore.client import BaseClient

from tests.golden.plain import Json, masked, message, plain, random_id, short
from tests.records import CORE, PRODUCTS
from tests.settings import ENV, QUEUES, REGION

ACCOUNT: Final = "123456789012"
LETTERS: Final = ENV["DEAD_LETTER_TABLE"]
CONTRIBUTIONS: Final = ENV["CONTRIBUTIONS_TABLE"]
STATE: Final = "stream-sync-test-state"
BUCKET: Final = ENV["PAYLOAD_BUCKET"]
LANES: Final = "typesense.fifo"
LANE_LETTERS: Final = "typesense-dead-letters.fifo"
ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
}
_TEMPLATE: Final = Path(__file__).parents[2] / "serverless.yml"

_ENVELOPE: Final = ("Id", "MessageBody")
_JSON: Final = ("keys", "body", "payload", "source_keys")  # attributes that hold JSON text


class Call(NamedTuple):
    """A request to AWS."""

    operation: str
    request: Mapping[str, Any]


# Tables and their key attributes.
TABLES: Final[Mapping[str, Sequence[str]]] = {
    CORE: ("PK", "SK"),
    PRODUCTS: ("productId",),
    LETTERS: ("id",),
    STATE: ("sink",),
    CONTRIBUTIONS: ("id",),
}
ANSWERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "SendMessageBatch": lambda asked: {"Successful": [{"Id": e["Id"]} for e in asked["Entries"]]},
    "PublishBatch": lambda _: {},
    "ChangeMessageVisibility": lambda _: {},
    "GetQueueAttributes": lambda asked: {"Attributes": dict.fromkeys(asked["AttributeNames"], "0")},
    "GetMetricStatistics": lambda _: {"Datapoints": []},
    "GetSecretValue": lambda _: {"SecretString": "key"},
}


class Aws:
    """An account in this process that records its calls.

    *answers* holds a function for each operation that the account itself does not answer.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers = dict(ANSWERS)

    def take(self, operation: str, **having: Any) -> list[Mapping[str, Any]]:
        """The requests of *operation* with these arguments; forgets them."""
        found: list[Call] = []
        left: list[Call] = []
        for call in self.calls:
            right = call.operation == operation
            right = right and all(call.request.get(name) == value for name, value in having.items())
            (found if right else left).append(call)
        self.calls = left
        return [call.request for call in found]

    def messages(self, queue: str) -> Iterator[Json]:
        """The messages sent to *queue* since the last call of this; of one request by lane."""
        for request in self.take("SendMessageBatch", QueueUrl=f"{QUEUES}/{queue}"):
            yield from sorted(request["Entries"], key=lambda entry: entry.get("MessageGroupId", ""))

    def sent(self, queue: str) -> list[Json]:
        """The same, as a golden file holds them."""
        found = []
        for entry in self.messages(queue):
            told = {name: value for name, value in entry.items() if name not in _ENVELOPE}
            if once := told.pop("MessageDeduplicationId", None):
                told["MessageDeduplicationId"] = random_id(once)
            found.append({**told, **message(entry["MessageBody"])})
        return found

    def letters(self) -> list[Json]:
        """The dead letters published since the last call of this; of one request by id."""
        found: list[Json] = []
        for request in self.take("PublishBatch"):
            entries = request["PublishBatchRequestEntries"]
            letters = [json.loads(entry["Message"]) for entry in entries]
            found += sorted(letters, key=lambda letter: str(letter["id"]))
        return [short(masked(letter)) for letter in found]

    def objects(self) -> list[Json]:
        """The objects written to S3 since the last call of this."""
        return [
            {**request, "Body": short(request["Body"].decode())}
            for request in self.take("PutObject")
        ]

    @contextmanager
    def running(self, account: AbstractContextManager[None]) -> Iterator[Self]:
        """Catches the calls of every client in this process; *account* answers them."""
        made = BaseClient._make_api_call  # type: ignore[attr-defined] # moto's guide patches it too

        def call(client: BaseClient, operation: str, request: dict[str, Any]) -> Any:
            self.calls.append(Call(operation, copy.deepcopy(request)))
            answer = self.answers.get(operation)
            return answer(request) if answer else made(client, operation, request)

        with mock.patch.dict(os.environ):
            for name in list(os.environ):  # a profile, an endpoint or a proxy of the user's
                if name.startswith("AWS_") or name.lower().endswith("_proxy"):
                    del os.environ[name]
            os.environ.update(ENVIRONMENT)
            with (
                account,
                mock.patch.object(BaseClient, "_make_api_call", call),
                mock.patch("boto3.client", lambda service, *_, **__: client(service)),
            ):
                for name in TABLES:
                    make_table(name)
                client("s3").create_bucket(Bucket=BUCKET)
                self.calls.clear()
                yield self


_boto3_client: Final = boto3.client


@cache
def client(service: Any) -> Any:
    """Shared: making a client takes longer than most calls."""
    return _boto3_client(service, REGION)


def make_table(name: str, type_: str = "S") -> None:
    """Make a table of TABLES, whose key attributes have the type *type_*."""
    keys = TABLES[name]
    request: Any = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _schema(keys),
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": type_} for key in keys],
    }
    if name == LETTERS:
        of = ("status", "first_at")
        (names,) = re.findall(r"NonKeyAttributes: \[(.*)\]", _TEMPLATE.read_text())
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": names.split(", ")}
        index = {"IndexName": "by-status", "KeySchema": _schema(of), "Projection": projection}
        request["GlobalSecondaryIndexes"] = [index]
        request["AttributeDefinitions"] += [
            {"AttributeName": key, "AttributeType": "S"} for key in of
        ]
    client("dynamodb").create_table(**request)


def _schema(keys: Sequence[str]) -> list[Json]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, kinds, strict=False)]


def sqs_event(queue: str, bodies: Sequence[str], *, received: int = 1) -> Json:
    """The event that Lambda makes of messages of *queue*; all are of one lane."""
    return {
        "Records": [
            {
                "messageId": f"message-{n}",
                "receiptHandle": f"handle-{n}",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": str(received),
                    "MessageGroupId": "0",
                },
            }
            for n, body in enumerate(bodies)
        ]
    }


def items_of(table: str) -> list[Json]:
    """All items of *table*, sorted."""
    pages = client("dynamodb").get_paginator("scan").paginate(TableName=table)
    found = [_opened(plain(item)) for page in pages for item in page["Items"]]
    found.sort(key=lambda item: json.dumps(item, sort_keys=True))
    return [short(masked(item)) for item in found]


def empty(table: str, type_: str = "S") -> None:
    """Make *table* anew, whose key attributes have the type *type_*."""
    client("dynamodb").delete_table(TableName=table)
    make_table(table, type_)


def _opened(item: Json) -> Json:
    """*item*, with attributes that hold JSON text parsed."""
    return {name: _read(value) if name in _JSON else value for name, value in item.items()}


def _read(value: Json) -> Json:
    try:
        return {"JSON": json.loads(value["S"])}
    except ValueError:
        return value
