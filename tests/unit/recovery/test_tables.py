"""A page of the keys of a table."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from sync.aws.keys import Source
from sync.errors import Unavailable
from sync.recovery.tables import keys_of
from tests.records import CORE, core_keys

FIRST, SECOND = core_keys("THING", "1"), core_keys("THING", "2")


class Scans:
    """Stands in for boto3's client of a table with two items; keeps requests."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []

    def scan(self, **request: Any) -> Any:
        self.requests.append(request)
        if "ExclusiveStartKey" in request:
            return {"Items": [SECOND]}
        return {"Items": [FIRST], "LastEvaluatedKey": FIRST}


def test_pages_follow_one_another_to_the_end_of_the_table() -> None:
    """The last says that none follows."""
    clients = {"dynamodb": Scans()}.__getitem__
    assert keys_of(clients, CORE, ["PK", "SK"], None, 1) == ([Source(CORE, FIRST)], FIRST)
    assert keys_of(clients, CORE, ["PK", "SK"], FIRST, 1) == ([Source(CORE, SECOND)], None)


def test_a_page_is_a_cheap_scan_of_the_key_attributes_alone() -> None:
    """Their names may be words that DynamoDB reserves; the stream brings what is too new for it."""
    scans = Scans()
    keys_of({"dynamodb": scans}.__getitem__, CORE, ["PK", "Values"], FIRST, 7)
    assert scans.requests == [
        {
            "TableName": CORE,
            "Limit": 7,
            "ConsistentRead": False,
            "ProjectionExpression": "#0, #1",
            "ExpressionAttributeNames": {"#0": "PK", "#1": "Values"},
            "ExclusiveStartKey": FIRST,
        }
    ]


def test_a_table_that_does_not_answer_is_named() -> None:
    """The caller tells it to whoever started the command."""

    class Down(Scans):
        def scan(self, **request: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    with pytest.raises(Unavailable, match=f"^reading {CORE}: "):
        keys_of({"dynamodb": Down()}.__getitem__, CORE, ["PK"], None, 1)
