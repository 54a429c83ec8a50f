"""Runs the handler of a copy, step by step: `serve` in tests/copies.py calls it.

AWS is in this process (tests/doubles/in_process.py). OpenSearch takes every document: there is no
server here, and the contract suite has one.
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final
from unittest.mock import patch

import boto3

import handler
from sync.aws.clients import queue_name
from sync.runtime.deadline import Deadline
from sync.sinks.opensearch import OpenSearch
from sync.writing.op import Done, Op, Outcome
from tests.doubles.in_process import mock_aws
from tests.doubles.wiring import Context
from tests.records import CORE
from tests.settings import ENV, REGION
from tests.tables import create_table

TABLES: Final = {CORE: ("PK", "SK"), ENV["CONTRIBUTIONS_TABLE"]: ("id",)}


class Resources:
    """What the service has in AWS: the core table, the contributions, the dead-letter topic, and
    each queue that an environment variable names."""

    def __init__(self) -> None:
        os.environ["AWS_DEFAULT_REGION"] = REGION
        self._dynamodb: Any = boto3.client("dynamodb")
        self._sqs = boto3.client("sqs")
        for name, keys in TABLES.items():
            create_table(self._dynamodb, name, *keys)
        for url in [url for name, url in os.environ.items() if name.endswith("_QUEUE_URL")]:
            queue = queue_name(url)
            self._sqs.create_queue(
                QueueName=queue, Attributes={"FifoQueue": "true"} if queue.endswith(".fifo") else {}
            )
        sns = boto3.client("sns")
        sns.subscribe(
            TopicArn=sns.create_topic(Name="dead-letters")["TopicArn"],
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:123456789012:dead-letters",
            Attributes={"RawMessageDelivery": "true"},
        )

    def change(self, records: Sequence[Any]) -> None:
        """Let the core table have what stream *records* say of it."""
        for change in (one["dynamodb"] for one in records if f":table/{CORE}/" in str(one)):
            if "NewImage" in change:
                self._dynamodb.put_item(TableName=CORE, Item=change["NewImage"])
            else:
                self._dynamodb.delete_item(TableName=CORE, Key=change["Keys"])

    def receive(self, variable: str) -> list[dict[str, Any]]:
        """Take all messages off a queue, as the records of Lambda's event."""
        url, found = os.environ[variable], []
        asked: Any = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"]}
        while messages := self._sqs.receive_message(QueueUrl=url, **asked).get("Messages", []):
            for message in messages:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                found.append(
                    {
                        "messageId": message["MessageId"],
                        "receiptHandle": message["ReceiptHandle"],
                        "body": message["Body"],
                        "attributes": message["Attributes"],
                        "eventSource": "aws:sqs",
                        "eventSourceARN": f"arn:aws:sqs:::{queue_name(url)}",
                    }
                )
        return found

    def rows(self) -> dict[str, Any]:
        """The items of each table."""
        scan = self._dynamodb.scan
        return {name: scan(TableName=name, ConsistentRead=True)["Items"] for name in TABLES}


def serve(resources: Resources, step: Any) -> dict[str, Any]:
    """What became of *step*: a list of stream records, the variable of a queue whose messages are
    delivered, or any other event."""
    found: list[Any] = []

    def write(_sink: OpenSearch, ops: Sequence[Op], _deadline: Deadline) -> list[Outcome]:
        found.extend([op.target, op.id, op.body and op.body.decode()] for op in ops)
        return [Outcome(op, Done.WRITTEN) for op in ops]

    event, lanes = step, []
    if isinstance(step, str):
        event = {"Records": resources.receive(step)}
        lanes = [record["attributes"]["MessageGroupId"] for record in event["Records"]]
    elif isinstance(step, list):
        resources.change(step)
        event = {"Records": step}
    with patch.object(OpenSearch, "write", write):
        answer = handler.handle(event, Context())
    return {
        "answer": answer,
        "documents": found,  # of OpenSearch
        "lanes": lanes,  # of the messages
        "rows": resources.rows(),
        "letters": [json.loads(one["body"]) for one in resources.receive("DEAD_LETTER_QUEUE_URL")],
    }


if __name__ == "__main__":
    with mock_aws():
        made = Resources()
        print(json.dumps([serve(made, step) for step in json.load(sys.stdin)]))
