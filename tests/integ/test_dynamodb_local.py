"""AWS's DynamoDB Local: what contract tests rest on, on loopback alone, and gone afterwards."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from local.servers import java
from tests.dynamodb_local.server import DynamoDbLocal, answers
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LISTENING = "0A"  # of Linux's socket table


@pytest.fixture
def client(dynamodb_local: DynamoDbLocal) -> "DynamoDBClient":
    return dynamodb_local.client()


@pytest.fixture
def table(client: "DynamoDBClient") -> str:
    """An empty table with a stream of both images, keyed by PK and SK."""
    name = f"table-{uuid4()}"
    create_table(client, name, "PK", "SK", stream=True)
    return name


def item(sk: str, **attributes: Any) -> dict[str, Any]:
    return {"PK": {"S": "pk"}, "SK": {"S": sk}, **attributes}


def test_a_failing_condition_changes_nothing_and_shows_the_item(
    client: "DynamoDBClient", table: str
) -> None:
    """A conditional put of a key that is taken is refused, with the item that took it."""
    first = item("1", n={"N": "1"})
    client.put_item(TableName=table, Item=first, ConditionExpression="attribute_not_exists(PK)")
    with pytest.raises(ClientError) as refused:
        client.put_item(
            TableName=table,
            Item=item("1", n={"N": "2"}),
            ConditionExpression="attribute_not_exists(PK)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert refused.value.response["Item"] == first  # type: ignore[typeddict-item] # not in stubs
    assert client.get_item(TableName=table, Key=item("1"))["Item"] == first


def test_a_transaction_fails_whole_and_names_the_action(
    client: "DynamoDBClient", table: str
) -> None:
    """One failing condition of two actions: neither is done, and the reasons are in order."""
    with pytest.raises(ClientError) as cancelled:
        client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("put")}},
                {
                    "Update": {
                        "TableName": table,
                        "Key": item("counter"),
                        "UpdateExpression": "ADD n :one",
                        "ConditionExpression": "n > :none",
                        "ExpressionAttributeValues": {":one": {"N": "1"}, ":none": {"N": "0"}},
                    }
                },
            ]
        )
    response = cancelled.value.response
    assert response["Error"]["Code"] == "TransactionCanceledException"
    reasons = response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert client.scan(TableName=table)["Items"] == []


def test_a_transaction_succeeds_whole(client: "DynamoDBClient", table: str) -> None:
    """Both its actions are done, and a number is added to."""
    for _ in range(2):
        client.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("put")}},
                {
                    "Update": {
                        "TableName": table,
                        "Key": item("counter"),
                        "UpdateExpression": "ADD n :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
            ]
        )
    counted = client.get_item(TableName=table, Key=item("counter"), ConsistentRead=True)
    assert counted["Item"]["n"] == {"N": "2"}
    assert "Item" in client.get_item(TableName=table, Key=item("put"), ConsistentRead=True)


def test_writes_stand_in_the_stream_in_order(
    client: "DynamoDBClient", table: str, dynamodb_local: DynamoDbLocal
) -> None:
    """Insert, change and removal are records with both images; a write of the same is none."""
    for n in ("1", "2", "2"):
        client.put_item(TableName=table, Item=item("1", n={"N": n}))
    client.delete_item(TableName=table, Key=item("1"))
    streams = dynamodb_local.streams()
    arn = client.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    images = [
        (
            record["eventName"],
            record["dynamodb"].get("OldImage", {}).get("n"),
            record["dynamodb"].get("NewImage", {}).get("n"),
        )
        for record in records
    ]
    assert images == [
        ("INSERT", None, {"N": "1"}),
        ("MODIFY", {"N": "1"}, {"N": "2"}),
        ("REMOVE", {"N": "2"}, None),
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's socket table")
def test_it_listens_on_loopback_only(dynamodb_local: DynamoDbLocal) -> None:
    """The kernel knows of one listener on its port, at 127.0.0.1."""
    assert list(listeners(dynamodb_local.port)) == ["127.0.0.1"]


def listeners(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        for row in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = row.split()
            address, _, hexadecimal = local.partition(":")
            if state == _LISTENING and int(hexadecimal, 16) == port:
                octets = bytes.fromhex(address)[::-1]
                yield socket.inet_ntoa(octets) if len(octets) == 4 else address


def test_it_runs_on_the_bundled_java_and_leaves_nothing(tmp_path: Path) -> None:
    """With no system Java the wheel's runtime does; stopped, neither process nor tables stay."""
    server = DynamoDbLocal(log=tmp_path / "log", runtime=java.bundled(print))
    with server:
        pid, client = server.pid, server.client()
        create_table(client, "kept-by-nobody", "id")
    assert server.pid is None
    assert pid is not None
    assert not Path("/proc", str(pid)).exists()
    assert not answers(server.url)
    with server:
        assert client.list_tables()["TableNames"] == []
