"""What DynamoDB says of a table itself."""

from collections.abc import Mapping
from typing import NamedTuple

from sync.aws.clients import Clients, failures


class Described(NamedTuple):
    """*types*: S, N or B for each key attribute, partition key first. *items*: their number as of
    some hours ago (API reference, TableDescription)."""

    types: Mapping[str, str]
    items: int


def described(clients: Clients, table: str) -> Described:
    """What DynamoDB says of *table*. Raises Retry."""
    with failures(f"describing {table}"):
        found = clients("dynamodb").describe_table(TableName=table)["Table"]
    types = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    keys = sorted(found["KeySchema"], key=lambda key: str(key["KeyType"]))  # HASH before RANGE
    names = [key["AttributeName"] for key in keys]
    return Described({name: types[name] for name in names}, found.get("ItemCount", 0))
