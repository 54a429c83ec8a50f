"""What is read of tables, of moto's DynamoDB and of answers that it never gives."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from sync.aws.tables import Table, describe, streamed
from sync.errors import Misconfigured, Throttled
from tests.settings import REGION

ARN = f"arn:aws:dynamodb:{REGION}:123456789012:table"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("dynamodb", REGION)


def make(dynamodb: Any, name: str, keys: dict[str, str], view: str | None = None) -> str:
    """A table with *keys*, partition key first, and an index; gives its stream's ARN."""
    kinds = list(zip(keys, ("HASH", "RANGE"), strict=False))
    names = [{"AttributeName": key, "AttributeType": type_} for key, type_ in keys.items()]
    stream = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}}
    made = dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "other", "AttributeType": "N"}, *names],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in reversed(kinds)],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-other",
                "KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        **(stream if view else {}),
    )
    return str(made["TableDescription"].get("LatestStreamArn"))


def test_a_table_is_described(dynamodb: Any) -> None:
    """Its keys in their order, whatever order DynamoDB has them in."""
    keys = {"zone": "N", "created": "B"}
    stream = make(dynamodb, "orders", keys, "NEW_IMAGE")
    dynamodb.put_item(TableName="orders", Item={"zone": {"N": "1"}, "created": {"B": b"x"}})
    found = describe(lambda _: dynamodb, "orders")
    assert found == Table("orders", f"{ARN}/orders", keys, stream, "NEW_IMAGE", 1, 0)
    assert list(found.keys) == ["zone", "created"]


def test_a_table_without_a_stream_says_so(dynamodb: Any) -> None:
    """Also if it had one, whose ARN DynamoDB still tells."""
    make(dynamodb, "plain", {"id": "S"})
    expected = Table("plain", f"{ARN}/plain", {"id": "S"}, None, None, 0, 0)
    assert describe(lambda _: dynamodb, "plain") == expected
    told = {
        **dynamodb.describe_table(TableName="plain")["Table"],
        "LatestStreamArn": "arn:old",
        "StreamSpecification": {"StreamEnabled": False},
    }
    del told["ItemCount"], told["TableSizeBytes"]
    assert describe(Told({"plain": told}), "plain") == expected


def test_no_table_is_none(dynamodb: Any) -> None:
    """It is for the caller to say what that means."""
    assert describe(lambda _: dynamodb, "nowhere") is None


def test_tables_with_a_stream_are_found(dynamodb: Any) -> None:
    """Those without one are left out."""
    make(dynamodb, "b", {"id": "S"}, "KEYS_ONLY")
    make(dynamodb, "plain", {"id": "S"})
    make(dynamodb, "a", {"id": "S"}, "NEW_AND_OLD_IMAGES")
    found = sorted((table.name, table.view) for table in streamed(lambda _: dynamodb))
    assert found == [("a", "NEW_AND_OLD_IMAGES"), ("b", "KEYS_ONLY")]


class Told:
    """A client that answers from *tables*, two names a page; those of None are gone meanwhile."""

    class exceptions:  # noqa: N801 - boto3's name
        class ResourceNotFoundException(ClientError):
            pass

    def __init__(self, tables: dict[str, Any], code: str = "ResourceNotFoundException") -> None:
        self.tables = tables
        self.code = code

    def __call__(self, service: str) -> Any:
        assert service == "dynamodb"
        return self

    def list_tables(self, *, ExclusiveStartTableName: str | None = None) -> Any:  # noqa: N803
        names = list(self.tables)
        start = 0 if ExclusiveStartTableName is None else names.index(ExclusiveStartTableName) + 1
        page = names[start : start + 2]
        more = len(names) > start + 2
        return {"TableNames": page, **({"LastEvaluatedTableName": page[-1]} if more else {})}

    def describe_table(self, *, TableName: str) -> Any:  # noqa: N803
        if (told := self.tables[TableName]) is not None:
            return {"Table": told}
        kind = self.exceptions.ResourceNotFoundException
        error: Any = {"Error": {"Code": self.code}}
        missing = self.code == "ResourceNotFoundException"
        raise (kind if missing else ClientError)(error, "DescribeTable")


def told(name: str) -> Any:
    return {
        "TableName": name,
        "TableArn": f"{ARN}/{name}",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "LatestStreamArn": f"{ARN}/{name}/stream/1",
        "ItemCount": 5,
    }


def test_every_page_of_tables_is_read() -> None:
    """DynamoDB lists a hundred at once. One that is deleted meanwhile is left out."""
    tables = {name: None if name == "c" else told(name) for name in "abcde"}
    assert [table.name for table in streamed(Told(tables))] == list("abde")


@pytest.mark.parametrize(
    ("code", "kind"), [("ThrottlingException", Throttled), ("AccessDeniedException", Misconfigured)]
)
def test_a_failure_says_what_failed(code: str, kind: type[Exception]) -> None:
    """With the table's name."""
    with pytest.raises(kind, match=f"^describing a: .*{code}"):
        list(streamed(Told({"a": None}, code)))
    client = boto3.client("dynamodb", REGION, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(Misconfigured, match=r"^listing tables: "):
        list(streamed(lambda _: Failing(client, code="AccessDeniedException")))


class Failing:
    """A client whose tables can't be listed."""

    def __init__(self, client: Any, code: str) -> None:
        self.exceptions = client.exceptions
        self.code = code

    def list_tables(self) -> Any:
        raise ClientError({"Error": {"Code": self.code}}, "ListTables")
