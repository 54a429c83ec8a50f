"""What DynamoDB says of a table."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.aws.described import Described, described
from sync.errors import Misconfigured


class Tables:
    """A client that has one table, described in an order that AWS does not promise."""

    def describe_table(self, *, TableName: str) -> Any:  # noqa: N803 - AWS's
        if TableName != "events":
            error = {"Error": {"Code": "ResourceNotFoundException", "Message": "not found"}}
            raise ClientError(error, "DescribeTable")  # type: ignore[arg-type] # as AWS has it
        return {
            "Table": {
                "AttributeDefinitions": [
                    {"AttributeName": "indexed", "AttributeType": "B"},
                    {"AttributeName": "at", "AttributeType": "N"},
                    {"AttributeName": "source", "AttributeType": "S"},
                ],
                "KeySchema": [
                    {"AttributeName": "at", "KeyType": "RANGE"},
                    {"AttributeName": "source", "KeyType": "HASH"},
                ],
                "ItemCount": 12,
            }
        }


def test_the_partition_key_comes_first() -> None:
    """Whatever the order of the answer; attributes of indexes are left out."""
    found = described(lambda _: Tables(), "events")
    assert found == Described({"source": "S", "at": "N"}, 12)
    assert list(found.types) == ["source", "at"]


def test_a_missing_table_is_named() -> None:
    """As with every call of AWS."""
    with pytest.raises(Misconfigured, match="describing things"):
        described(lambda _: Tables(), "things")
