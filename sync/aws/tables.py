"""What DynamoDB says of tables: their keys and their streams."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync.aws.clients import Clients, failures
from sync.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Table:
    """A table. *keys*: the type of each key attribute, partition key first."""

    name: str
    arn: str
    keys: Mapping[str, str]
    stream: str | None  # the ARN of its stream; None: it has none, or it is off
    view: str | None  # what the stream's records hold, such as NEW_AND_OLD_IMAGES
    items: int  # DynamoDB counts anew about every six hours
    bytes: int  # the same


def describe(clients: Clients, name: str) -> Table | None:
    """The table *name*; None if there is none. Raises Retry."""
    dynamodb = clients("dynamodb")
    with failures(f"describing {name}"):
        try:
            told = dynamodb.describe_table(TableName=name)["Table"]
        except dynamodb.exceptions.ResourceNotFoundException:
            return None
    return _read(told)


def known(clients: Clients, name: str) -> Table:
    """The table *name*. Raises Retry; Misconfigured if there is none."""
    if (found := describe(clients, name)) is None:
        raise Misconfigured(f"describing {name}: there is no such table")
    return found


def streamed(clients: Clients) -> Iterator[Table]:
    """Every table of the account and region whose stream is on. Raises Retry."""
    for name in _names(clients):
        table = describe(clients, name)  # None: deleted since it was listed
        if table is not None and table.stream is not None:
            yield table


def _names(clients: Clients) -> Iterator[str]:
    request: dict[str, str] = {}
    dynamodb = clients("dynamodb")
    while True:
        with failures("listing tables"):
            answer = dynamodb.list_tables(**request)
        yield from answer["TableNames"]
        if "LastEvaluatedTableName" not in answer:
            return
        request = {"ExclusiveStartTableName": answer["LastEvaluatedTableName"]}


def _read(told: Mapping[str, Any]) -> Table:
    types = {one["AttributeName"]: one["AttributeType"] for one in told["AttributeDefinitions"]}
    schema = sorted(told["KeySchema"], key=lambda key: key["KeyType"])  # HASH, RANGE
    stream = told.get("StreamSpecification", {})
    on = stream.get("StreamEnabled", False)
    return Table(
        told["TableName"],
        told["TableArn"],
        {key["AttributeName"]: types[key["AttributeName"]] for key in schema},
        told["LatestStreamArn"] if on else None,
        stream["StreamViewType"] if on else None,
        told.get("ItemCount", 0),
        told.get("TableSizeBytes", 0),
    )
