"""What is recorded of functions and AWS is what they do, in the words that IAM has for it."""

from typing import Any

import pytest

from tests.asked import Ask, Asked, invoked_by, recorded, to_opensearch, unknown
from tests.asked.scenario import asked
from tests.doubles.account import ACTING, BUCKET, Account
from tests.doubles.in_process import mock_aws
from tests.records import CORE, PRODUCTS, core_keys, stream_record

QUEUES = "https://sqs.us-east-1.amazonaws.com/123456789012"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@pytest.mark.usefixtures("credentials")
def test_what_is_recorded_is_asked_now() -> None:
    """No line of the recording stands there without a call that this code makes."""
    with mock_aws():
        now = asked()
    assert unknown(now) == []
    assert sorted(recorded() - now) == []  # python -m tests.asked leaves these out


class Silent:
    """A client, or a paginator, that does nothing."""

    def __getattr__(self, _name: str) -> Any:
        return lambda **_: None

    def get_paginator(self, _name: str) -> "Silent":
        return self


CALLS: dict[str, tuple[str, str, dict[str, Any], set[tuple[str, ...]]]] = {
    "a batch of messages": (
        "sqs",
        "send_message_batch",
        {"QueueUrl": f"{QUEUES}/typesense.fifo"},
        {("sqs:SendMessage", "queue/typesense.fifo", "")},
    ),
    "a batch of letters": (
        "sns",
        "publish_batch",
        {"TopicArn": "arn:aws:sns:us-east-1:123456789012:dead-letters"},
        {("sns:Publish", "topic/dead-letters", "")},
    ),
    "reading an object": (
        "s3",
        "get_object",
        {"Bucket": BUCKET, "Key": "letters/row/one.json"},
        {("s3:GetObject", "bucket/letters/x", ""), ("s3:ListBucket", "bucket", "")},
    ),
    "writing somewhere else in the bucket": (
        "s3",
        "put_object",
        {"Bucket": BUCKET, "Key": "large"},
        {("s3:PutObject", "bucket/large", "")},
    ),
    "items of two tables": (
        "dynamodb",
        "batch_get_item",
        {
            "RequestItems": {
                CORE: {"Keys": [core_keys("IMAGES#1", "a"), core_keys("FAA#LINKS", "b")]},
                PRODUCTS: {"Keys": [{"productId": {"S": "IMAGES#1"}}]},
            }
        },
        {
            ("dynamodb:BatchGetItem", "table/core", "dynamodb:LeadingKeys=IMAGES#x"),
            ("dynamodb:BatchGetItem", "table/core", "dynamodb:LeadingKeys=x"),
            ("dynamodb:BatchGetItem", "table/products", "dynamodb:LeadingKeys=x"),
        },
    ),
    "a transaction": (
        "dynamodb",
        "transact_write_items",
        {
            "TransactItems": [
                {"ConditionCheck": {"TableName": CORE, "Key": core_keys("IMAGES#1", "a")}},
                {"Put": {"TableName": CORE, "Item": core_keys("ICAO#MATCHER", "b")}},
                {"Update": {"TableName": PRODUCTS, "Key": {"productId": {"S": "p"}}}},
            ]
        },
        {
            ("dynamodb:ConditionCheckItem", "table/core", "dynamodb:LeadingKeys=IMAGES#x"),
            ("dynamodb:PutItem", "table/core", "dynamodb:LeadingKeys=ICAO#MATCHER"),
            ("dynamodb:UpdateItem", "table/products", "dynamodb:LeadingKeys=x"),
        },
    ),
    "a query of an index": (
        "dynamodb",
        "query",
        {
            "TableName": CORE,
            "IndexName": "by-status",
            "KeyConditionExpression": "#s = :s",
            "ExpressionAttributeValues": {":s": {"S": "open"}},
        },
        {("dynamodb:Query", "table/core/index/by-status", "dynamodb:LeadingKeys=x")},
    ),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_is_told_in_iam_s_words(what: str) -> None:
    """Each action with each resource that it needs leave for, and what conditions look at."""
    service, method, given, expected = CALLS[what]
    noted = Asked()
    getattr(noted.clients(lambda _: Silent(), lambda: "stream")(service), method)(**given)
    assert noted.asks == {Ask("stream", *each) for each in expected}


def test_pages_are_told_too() -> None:
    """A list is asked for by its prefix."""
    noted = Asked()
    client = noted.clients(lambda _: Silent(), lambda: "admin")("s3")
    client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="letters/row/")
    assert noted.asks == {Ask("admin", "s3:ListBucket", "bucket", "s3:prefix=letters/x")}


def test_what_is_not_understood_is_no_silence() -> None:
    """A call that nobody has put into IAM's words yet fails the test that makes it."""
    client = Asked().clients(lambda _: Silent(), lambda: "stream")
    with pytest.raises(NotImplementedError, match="kms"):
        client("kms").decrypt(CiphertextBlob=b"")
    with pytest.raises(NotImplementedError, match="dynamodb:ExecuteStatement"):
        client("dynamodb").execute_statement(Statement="")


def test_what_tests_ask_themselves_is_nobody_s(account: Account) -> None:
    """Calls count while a function handles an event, as that function's, and not afterwards."""
    account.clients("sqs").list_queues()  # which would not be understood
    assert (account.asked.asks, ACTING.get()) == (set(), None)
    record = stream_record({"productId": {"S": "p"}}, {}, table=PRODUCTS)  # no product
    account.handle({"Records": [record]})
    assert account.asked.asks == {Ask("stream", "sns:Publish", "topic/dead-letters")}
    assert ACTING.get() is None


def test_events_are_those_of_functions() -> None:
    """As Lambda invokes them."""
    queue = "arn:aws:sqs:us-east-1:123456789012:typesense-dead-letters.fifo"
    assert invoked_by({"command": "status"}) == "admin"
    assert invoked_by({"Records": [stream_record({})]}) == "stream"
    message = {"eventSource": "aws:sqs", "eventSourceARN": queue}
    assert invoked_by({"Records": [message]}) == "deadletters"
    nobody_s: list[Any] = [{}, {"Records": []}, None]
    assert [invoked_by(event) for event in nobody_s] == [None, None, None]


def test_an_ask_that_is_not_recorded_is_told() -> None:
    """With what to do about it."""
    new = Ask("stream", "s3:DeleteObject", "bucket/letters/x")
    (told,) = unknown({*recorded(), new})
    assert told.startswith("stream s3:DeleteObject bucket/letters/x is not recorded")
    assert "tests/asked/scenario.py" in told


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/_bulk?require_alias=true", "/_bulk"),
        ("/_alias/products", "/_alias/x"),
        ("/products-v%2A?ignore_unavailable=true", "/x-vx"),
        ("/my-products-v12/_settings", "/x-vx/_settings"),
        ("/a-version/_mapping", "/x/_mapping"),
    ],
)
def test_requests_to_opensearch_are_told_by_their_kind(path: str, told: str) -> None:
    """Aliases and indexes are one each, whatever their names."""
    assert to_opensearch("GET", path) == ("GET", told)
