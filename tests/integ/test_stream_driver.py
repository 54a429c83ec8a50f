"""The driver between a real stream and a deployed function, on the AWS emulator."""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.delivery.driver import StreamDriver
from local.delivery.ports import Answered, Discarded, Result
from local.delivery.records import Record
from local.delivery.takeover import take_over
from local.servers.emulator import REGION, Emulator

LONG_S = 60.0  # nothing takes so long unless it is broken

# Does with each record what the item's `mode` says, and returns what it was given.
FUNCTION = """
def handle(event, context):
    failed = []
    for record in event["Records"]:
        mode = record["dynamodb"].get("NewImage", {}).get("mode", {}).get("S")
        if mode == "raise":
            raise RuntimeError("as told")
        if mode == "fail":
            failed.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failed, "records": event["Records"]}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


class Cloud:
    """A table, a function on its stream, and a queue for what the function never takes."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._session = boto3.Session("test", "test", region_name=REGION)
        tables = self.client("dynamodb")
        table = tables.create_table(
            TableName="source",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.stream_arn: str = table["TableDescription"]["LatestStreamArn"]
        role = self.client("iam").create_role(
            RoleName="source", AssumeRolePolicyDocument=json.dumps(TRUST)
        )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("function.py", FUNCTION)
        self.client("lambda").create_function(
            FunctionName="source",
            Runtime="python3.12",
            Handler="function.handle",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": packed.getvalue()},
        )
        sqs = self.client("sqs")
        self._queue_url = sqs.create_queue(QueueName="failures")["QueueUrl"]
        queue = sqs.get_queue_attributes(QueueUrl=self._queue_url, AttributeNames=["QueueArn"])
        self.queue_arn: str = queue["Attributes"]["QueueArn"]
        self._put = tables.put_item
        self.delete = tables.delete_item

    def client(self, service: Any) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint)

    def driver(self, observer: "Watch", **settings: Any) -> StreamDriver:
        """A mapping with these settings, taken over."""
        self.client("lambda").create_event_source_mapping(
            FunctionName="source",
            EventSourceArn=self.stream_arn,
            StartingPosition="TRIM_HORIZON",
            Enabled=False,  # or the emulator would deliver too, before it is taken over
            FunctionResponseTypes=["ReportBatchItemFailures"],
            DestinationConfig={"OnFailure": {"Destination": self.queue_arn}},
            **settings,
        )
        [driver] = take_over(
            "source", self._session, endpoint_url=self._endpoint, observer=observer
        )
        return driver

    def put(self, id_: str, mode: str = "ok", **attributes: Any) -> None:
        item = {"id": {"S": id_}, "mode": {"S": mode}, **attributes}
        self._put(TableName="source", Item=item)

    def failures(self) -> list[dict[str, Any]]:
        received = self.client("sqs").receive_message(
            QueueUrl=self._queue_url, MaxNumberOfMessages=10
        )
        return [json.loads(message["Body"]) for message in received.get("Messages", [])]


class Watch:
    """Remembers each invocation: the items it was called with, and what came back."""

    def __init__(self) -> None:
        self.batches: list[str] = []
        self.events: list[dict[str, Any]] = []

    def __call__(self, records: Sequence[Record], what: Result | Discarded) -> None:
        assert isinstance(what, Answered | Discarded), what
        ids = "".join(one.event()["dynamodb"]["Keys"]["id"]["S"] for one in records)
        self.batches.append(f"-{ids}" if isinstance(what, Discarded) else ids)
        if isinstance(what, Answered) and not what.error:
            self.events += json.loads(what.body)["records"]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with Emulator(log=tmp_path / "emulator.log") as emulator:
        yield Cloud(emulator.endpoint)


def test_the_function_sees_lambdas_event(cloud: Cloud) -> None:
    """From put, through the emulator's stream, to what the function says that it was given."""
    watch = Watch()
    cloud.put("a", data={"B": b"\x00\xff"}, some={"BS": [b"x"]}, number={"N": "1.50"})
    with cloud.driver(watch) as driver:
        assert driver.drain(LONG_S)
        cloud.delete(TableName="source", Key={"id": {"S": "a"}})
        assert driver.drain(LONG_S)
    inserted, removed = watch.events
    created = inserted["dynamodb"].pop("ApproximateCreationDateTime")
    assert type(created) is int
    image = inserted["dynamodb"]["NewImage"]
    assert image["data"] == {"B": "AP8="}
    assert image["some"] == {"BS": ["eA=="]}
    assert image["number"] == {"N": "1.5"}
    assert inserted["eventSourceARN"] == cloud.stream_arn
    assert inserted["eventSource"] == "aws:dynamodb"
    assert inserted["awsRegion"] == REGION
    assert [inserted["eventName"], removed["eventName"]] == ["INSERT", "REMOVE"]
    assert "NewImage" not in removed["dynamodb"]
    assert removed["dynamodb"]["OldImage"] == image


def test_a_reported_failure_is_retried_from_there_and_discarded(cloud: Cloud) -> None:
    """What the emulator's own poller would lose is retried and told of; the rest goes on."""
    watch = Watch()
    for id_, mode in ("a", "ok"), ("b", "fail"), ("c", "ok"):
        cloud.put(id_, mode)
    with cloud.driver(watch, MaximumRetryAttempts=2) as driver:
        assert driver.drain(LONG_S)
        cloud.put("d")
        assert driver.drain(LONG_S)
    assert watch.batches == ["abc", "bc", "bc", "-bc", "d"]
    [document] = cloud.failures()
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 3
    assert document["DDBStreamBatchInfo"]["batchSize"] == 2
    assert document["DDBStreamBatchInfo"]["streamArn"] == cloud.stream_arn


def test_bisect_isolates_the_record_that_raises(cloud: Cloud) -> None:
    """Every record but the bad one is delivered, and the document names it alone."""
    watch = Watch()
    for id_, mode in ("a", "ok"), ("b", "ok"), ("c", "raise"), ("d", "ok"):
        cloud.put(id_, mode)
    with cloud.driver(watch, MaximumRetryAttempts=0, BisectBatchOnFunctionError=True) as driver:
        assert driver.drain(LONG_S)
    assert watch.batches == ["abcd", "ab", "cd", "c", "-c", "d"]
    [document] = cloud.failures()
    assert document["responseContext"]["functionError"] == "Unhandled"
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
