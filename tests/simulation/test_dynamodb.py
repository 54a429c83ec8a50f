"""The simulated DynamoDB does what AWS's DynamoDB Local does, request by request."""

import json
import random
from typing import Any, Final
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from sync.aws.keys import Source
from sync.models.core.faa_link import IcaoType
from sync.runtime.deadline import Deadline
from sync.sinks.counters import Counters
from sync.sinks.default_image import DefaultImage, Entity
from sync.writing.ids import document_id
from sync.writing.op import Op
from tests.dynamodb_local.server import DynamoDbLocal
from tests.simulation.dynamodbs import CORE, ROWS, Real, Simulated, core

LONG_AGO: Final = 1_700_000_000


def put(sk: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": CORE, "Item": core(sk), **more}}


def check(sk: str, condition: str) -> dict[str, Any]:
    return {
        "ConditionCheck": {"TableName": CORE, "Key": core(sk), "ConditionExpression": condition}
    }


def add(sk: str, by: int, **more: Any) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": CORE,
            "Key": core(sk),
            "UpdateExpression": "SET a = :a ADD n :by",
            "ExpressionAttributeValues": {":a": {"S": "a"}, ":by": {"N": str(by)}},
            **more,
        }
    }


def told(client: Any, *actions: Any, **more: Any) -> Any:
    """What a transaction of *actions* comes to: None, or the error's code and its reasons."""
    try:
        client.transact_write_items(TransactItems=list(actions), **more)
    except ClientError as error:
        reasons = error.response.get("CancellationReasons", [])
        return error.response["Error"]["Code"], [reason["Code"] for reason in reasons]
    return None


def held(client: Any, table: str) -> list[Any]:
    """Every item of *table*."""
    items = client.scan(TableName=table, ConsistentRead=True)["Items"]
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


ABSENT, PRESENT = "attribute_not_exists(PK)", "attribute_exists(PK)"
NONE, FAILED = "None", "ConditionalCheckFailed"


def test_a_transaction_is_done_whole_or_not_at_all(client: Any) -> None:
    """Reasons come in the order of the actions; of a cancelled one nothing stays."""
    assert told(client, put("1", ConditionExpression=ABSENT), check("2", ABSENT)) is None
    assert told(client, put("2"), put("1", ConditionExpression=ABSENT), check("3", ABSENT)) == (
        "TransactionCanceledException",
        [NONE, FAILED, NONE],
    )
    assert held(client, CORE) == [core("1")]
    gone = {"Delete": {"TableName": CORE, "Key": core("1"), "ConditionExpression": PRESENT}}
    assert told(client, gone, put("3")) is None
    assert told(client, gone) == ("TransactionCanceledException", [FAILED])
    assert held(client, CORE) == [core("3")]


def test_an_update_adds_to_what_is_there_or_begins_with_nothing(client: Any) -> None:
    """Conditions are those of the item as it was before."""
    more: Any = {"ExpressionAttributeValues": {":a": {"S": "b"}, ":by": {"N": "-2"}}}
    above: Any = {**more, "ConditionExpression": "n > :least"}
    above["ExpressionAttributeValues"] = {**more["ExpressionAttributeValues"], ":least": {"N": "2"}}
    assert [told(client, add("n", 3)), told(client, add("n", 0, **above))] == [None, None]
    assert told(client, add("n", 0, **above)) == ("TransactionCanceledException", [FAILED])
    assert held(client, CORE) == [core("n", a={"S": "b"}, n={"N": "1"})]


def test_a_token_stands_for_its_request(client: Any) -> None:
    """The same one again is no second effect; with another request it is refused."""
    token = str(uuid4())
    for _ in range(2):
        assert told(client, add("n", 1), ClientRequestToken=token) is None
    assert held(client, CORE) == [core("n", a={"S": "a"}, n={"N": "1"})]
    code, _ = told(client, add("n", 2), ClientRequestToken=token)
    assert code == "IdempotentParameterMismatchException"


@pytest.mark.parametrize(
    "actions",
    [
        [put("1"), put("1")],
        [put(str(n)) for n in range(101)],
        [],
        [add("n", 1, ConditionExpression="n > :nothing")],
        [add("n", 1, ExpressionAttributeNames={"#unused": "x"})],
    ],
    ids=["an item twice", "101 actions", "none", "an undefined value", "an unused name"],
)
def test_a_wrong_request_is_refused_as_a_whole(client: Any, actions: list[Any]) -> None:
    """What breaks a rule of the API is no cancellation."""
    try:
        found = told(client, *actions)
    except Exception as error:  # boto3's own check of parameters
        found = type(error).__name__, []
    assert found in (("ValidationException", []), ("ParamValidationError", []))
    assert held(client, CORE) == []


def test_a_write_can_return_the_item_that_it_made(client: Any) -> None:
    """`ALL_NEW` has the keys too."""
    answer = client.update_item(
        TableName=CORE,
        Key=core("1"),
        UpdateExpression="SET a = :a ADD n :one",
        ExpressionAttributeValues={":a": {"S": "a"}, ":one": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )
    assert answer["Attributes"] == core("1", a={"S": "a"}, n={"N": "1"})


def test_a_batch_writes_and_deletes_in_both_tables(client: Any) -> None:
    """Nothing is left over: neither has more than it can take."""
    client.put_item(TableName=CORE, Item=core("gone"))
    answer = client.batch_write_item(
        RequestItems={
            CORE: [{"PutRequest": {"Item": core("1")}}, {"DeleteRequest": {"Key": core("gone")}}],
            ROWS: [{"PutRequest": {"Item": {"id": {"S": "r"}}}}],
        }
    )
    assert answer["UnprocessedItems"] == {}
    assert held(client, CORE) == [core("1")]
    assert held(client, ROWS) == [{"id": {"S": "r"}}]


def test_a_query_goes_by_key_order_either_way_and_by_pages(client: Any) -> None:
    """begins_with, descending, a limit, and from where the last page ended."""
    for sk in ("IMG#1", "IMG#é", "IMG#10", "IMG#2", "DEFAULT", "IMH"):
        told(client, put(sk))
    asked: Any = {
        "TableName": CORE,
        "KeyConditionExpression": "PK = :pk AND begins_with(SK, :images)",
        "ExpressionAttributeValues": {":pk": {"S": "pk"}, ":images": {"S": "IMG#"}},
        "ProjectionExpression": "SK",
        "ConsistentRead": True,
    }
    for forward in (True, False):
        found: list[str] = []
        start: Any = {}
        while True:
            page = client.query(**asked, ScanIndexForward=forward, Limit=2, **start)
            found += [item["SK"]["S"] for item in page["Items"]]
            assert all(item.keys() == {"SK"} for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        wanted = ["IMG#1", "IMG#10", "IMG#2", "IMG#é"]
        assert found == (wanted if forward else wanted[::-1])


def test_a_scan_filters_what_it_has_read(client: Any) -> None:
    """A limit counts the items that are read, not those that stay."""
    for n in range(6):
        told(client, add(str(n), n % 2))
    found: list[str] = []
    start: Any = {}
    while True:
        page = client.scan(
            TableName=CORE,
            FilterExpression="#n = :one",
            ExpressionAttributeNames={"#n": "n"},
            ExpressionAttributeValues={":one": {"N": "1"}},
            ConsistentRead=True,
            Limit=2,
            **start,
        )
        assert len(page["Items"]) <= 2
        found += [item["SK"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert sorted(found) == ["1", "3", "5"]


def test_the_sinks_leave_the_same_rows_in_both(dynamodb_local: DynamoDbLocal) -> None:
    """A long history of links and images, written by the real sinks to the simulated tables and
    to DynamoDB Local: every row of every table is the same."""
    ended = []
    for client in (Simulated(), Real(dynamodb_local.client())):
        play(client)
        ended.append((held(client, CORE), held(client, ROWS)))
    assert ended[0] == ended[1]
    assert len(ended[0][0]) > 5


def play(client: Any) -> None:
    """Sixty changes of links and images, each told to its sink in the way that models do."""
    chance = random.Random(1)
    counters = Counters(lambda _service: client, contributions=ROWS, counters=CORE)
    pictures = DefaultImage(lambda _service: client, CORE)
    for n in range(60):
        keys = {"PK": {"S": "FAA#LINKS"}, "SK": {"S": f"L#{chance.randrange(6)}"}}
        counted = chance.choice(
            (None, IcaoType("A20N", "AIRBUS", "A-320"), IcaoType("B", "C", "D"))
        )
        link = Op(
            "counters",
            Source(CORE, keys),
            "icao_entity_matcher",
            document_id(keys, ["PK", "SK"]),
            counted.body() if counted else None,
            (LONG_AGO + n) * 10**9,
        )
        entity = Entity("SYSTEM", "ICAO", chance.choice(("A20N", "B38M")))
        image: Any = entity.row(f"IMG#{chance.randrange(3)}")
        change = {"Put": {"TableName": CORE, "Item": image}}
        if chance.random() < 0.5:
            change = {"Delete": {"TableName": CORE, "Key": image}}
        assert told(client, change) is None
        op = Op(
            "default_image", Source(CORE, image), "default_images", entity.op_id, entity.body(), 1
        )
        for sink, one in ((counters, link), (pictures, op)):
            (outcome,) = sink.write([one], Deadline(30.0))
            assert outcome.op is one
