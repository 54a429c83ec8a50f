"""Requests that AWS refuses, whatever the table holds; a double that took them would hide bugs."""

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.simulation.dynamodbs import CORE, core

ONE: Final = core("1")
EXTRA: Final = core("1", x={"S": "1"})
A: Final = {":a": {"S": "a"}}
SET: Final = {"Key": ONE, "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": A}
STATUS: Final = {**SET, "UpdateExpression": "SET status = :a"}
PUT_ONE: Final = {"PutRequest": {"Item": ONE}}


def batch(*requests: Any) -> dict[str, Any]:
    return {"RequestItems": {CORE: list(requests)}}


def keys(*wanted: Any, **more: Any) -> dict[str, Any]:
    return {"RequestItems": {CORE: {"Keys": list(wanted), **more}}}


REFUSED: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    # Keys
    "put without sort key": ("put_item", {"Item": {"PK": {"S": "p"}}}),
    "put with a number as key": ("put_item", {"Item": {**ONE, "SK": {"N": "1"}}}),
    "put with an empty key": ("put_item", {"Item": core("")}),
    "get with more than keys": ("get_item", {"Key": EXTRA}),
    "get without sort key": ("get_item", {"Key": {"PK": {"S": "p"}}}),
    "delete with more than keys": ("delete_item", {"Key": EXTRA}),
    "update with more than keys": ("update_item", {**SET, "Key": EXTRA}),
    "update of a key": ("update_item", {**SET, "UpdateExpression": "SET SK = :a"}),
    # Values
    "an empty set": ("put_item", {"Item": core("1", s={"SS": []})}),
    "a set with a member twice": ("put_item", {"Item": core("1", s={"SS": ["a", "a"]})}),
    "a number that is none": ("put_item", {"Item": core("1", n={"N": "x"})}),
    "an item too large": ("put_item", {"Item": core("1", x={"S": "x" * 410_000})}),
    # Expressions
    "a reserved word is set": ("update_item", STATUS),
    "a reserved word is removed": (
        "update_item",
        {"Key": ONE, "UpdateExpression": "REMOVE status"},
    ),
    "a reserved word in a transaction": (
        "transact_write_items",
        {"TransactItems": [{"Update": {"TableName": CORE, **STATUS}}]},
    ),
    "a reserved word in a condition of an update": (
        "update_item",
        {**SET, "ConditionExpression": "attribute_exists(status)"},
    ),
    "a reserved word in a condition of a put": (
        "put_item",
        {"Item": ONE, "ConditionExpression": "attribute_not_exists(status)"},
    ),
    "a reserved word in a projection": ("get_item", {"Key": ONE, "ProjectionExpression": "status"}),
    "a reserved word in a batch": ("batch_get_item", keys(ONE, ProjectionExpression="status")),
    "a reserved word in a filter": (
        "scan",
        {"FilterExpression": "status = :a", "ExpressionAttributeValues": A},
    ),
    "a reserved word in a scan's projection": ("scan", {"ProjectionExpression": "status"}),
    "one path twice": ("update_item", {**SET, "UpdateExpression": "SET a = :a, a = :a"}),
    "values that are none": (
        "update_item",
        {"Key": ONE, "UpdateExpression": "REMOVE a", "ExpressionAttributeValues": {}},
    ),
    "names that are none": (
        "update_item",
        {"Key": ONE, "UpdateExpression": "REMOVE a", "ExpressionAttributeNames": {}},
    ),
    "an unused value": (
        "update_item",
        {**SET, "UpdateExpression": "REMOVE a", "ConditionExpression": "attribute_exists(PK)"},
    ),
    "an unused name": ("update_item", {**SET, "ExpressionAttributeNames": {"#b": "b"}}),
    "a text is added": ("update_item", {**SET, "UpdateExpression": "ADD n :a"}),
    "a missing attribute is copied": ("update_item", {"Key": ONE, "UpdateExpression": "SET a = b"}),
    # Queries
    "a query without hash key": (
        "query",
        {"KeyConditionExpression": "SK = :a", "ExpressionAttributeValues": A},
    ),
    "a query for the beginning of a hash key": (
        "query",
        {"KeyConditionExpression": "begins_with(PK, :a)", "ExpressionAttributeValues": A},
    ),
    "a filter on a key": (
        "query",
        {
            "KeyConditionExpression": "PK = :a",
            "FilterExpression": "SK = :a",
            "ExpressionAttributeValues": A,
        },
    ),
    "a query of an index that is not there": (
        "query",
        {
            "IndexName": "missing",
            "KeyConditionExpression": "PK = :a",
            "ExpressionAttributeValues": A,
        },
    ),
    # Batches
    "26 writes": (
        "batch_write_item",
        batch(*({"PutRequest": {"Item": core(str(n))}} for n in range(26))),
    ),
    "one item written twice": ("batch_write_item", batch(PUT_ONE, PUT_ONE)),
    "a write without sort key": (
        "batch_write_item",
        batch({"PutRequest": {"Item": {"PK": {"S": "p"}}}}),
    ),
    "a delete with more than keys": (
        "batch_write_item",
        batch({"DeleteRequest": {"Key": EXTRA}}),
    ),
    "one key read twice": ("batch_get_item", keys(ONE, ONE)),
    "101 keys": ("batch_get_item", keys(*(core(str(n)) for n in range(101)))),
    "a read with more than keys": ("batch_get_item", keys(EXTRA)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_aws_refuses_is_refused(client: Any, name: str) -> None:
    """In the same way, and without an effect."""
    operation, request = REFUSED[name]
    if not {"RequestItems", "TransactItems"} & request.keys():
        request = {"TableName": CORE, **request}
    with pytest.raises((ClientError, ParamValidationError)) as refused:
        getattr(client, operation)(**request)
    if isinstance(refused.value, ClientError):
        assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert client.scan(TableName=CORE, ConsistentRead=True)["Items"] == []
