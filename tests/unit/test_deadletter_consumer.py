"""Whatever arrives on the dead-letter queue becomes a row, once, whole."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.deadletters.letters import DeadLetter
from sync.deadletters.rows import keys_of, version_of
from sync.errors import InvalidImage, RecordError
from sync.moments import epoch, iso
from sync.ops import Source
from sync.recovery.parking import Message, Parked
from tests.account import BUCKET, LETTERS, STREAM, Account
from tests.records import PRODUCTS, stream_record

DONE: dict[str, Any] = {"batchItemFailures": []}


def poison(product_id: str = "p", text: str = "x", number: int = 1) -> Any:
    keys = {"productId": {"S": product_id}}
    new = {"name": {"S": text}, "price": {"S": "much"}}
    return stream_record(keys, new, table=PRODUCTS, number=number)


def letter(record: Any, at: str = "2026-11-21T08:00:00.000+00:00") -> dict[str, Any]:
    """What the topic carries of a quarantined record."""
    dead = DeadLetter(
        record,
        InvalidImage("not a valid Product: price"),
        table=PRODUCTS,
        keys=record["dynamodb"]["Keys"],
        sink="opensearch",
    )
    return {**dead.envelope(epoch(at)), "record": record}


def range_document(records: list[Any], **info: Any) -> dict[str, Any]:
    """What Lambda sends of a range that it gave up on (Lambda guide, services-dynamodb-errors)."""
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    return {
        "requestContext": {
            "requestId": None,
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:stream",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        "responseContext": None,
        "version": "1.0",
        "timestamp": "2026-11-21T08:00:00.000Z",
        "DDBStreamBatchInfo": {
            "shardId": "shard-1",
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[-1],
            "batchSize": len(records),
            "streamArn": STREAM,
            **info,
        },
    }


class Stream:
    """A shard in memory, two records a page; those before *trimmed* are past retention."""

    class exceptions:  # noqa: N801 - as clients name it
        class ResourceNotFoundException(ClientError):
            pass

        class TrimmedDataAccessException(ClientError):
            pass

    def __init__(self, records: list[Any], *, trimmed: int = 0) -> None:
        self.records = records
        self.trimmed = trimmed
        self.fails: Exception | None = None

    def get_shard_iterator(self, **request: Any) -> Any:
        if self.fails:
            raise self.fails
        assert (request["StreamArn"], request["ShardId"]) == (STREAM, "shard-1")
        if request["ShardIteratorType"] == "TRIM_HORIZON":
            return {"ShardIterator": str(self.trimmed)}
        numbers = [record["dynamodb"]["SequenceNumber"] for record in self.records]
        at = numbers.index(request["SequenceNumber"])
        if at < self.trimmed:
            raise self.exceptions.TrimmedDataAccessException({"Error": {}}, "GetShardIterator")
        return {"ShardIterator": str(at)}

    def get_records(self, ShardIterator: str, Limit: int) -> Any:  # noqa: N803
        at = int(ShardIterator)
        page = []
        for record in self.records[at : at + 2]:
            body = dict(record["dynamodb"])
            created = datetime.fromtimestamp(body["ApproximateCreationDateTime"], UTC)
            raw = {k: v for k, v in record.items() if k != "eventSourceARN"}
            page.append({**raw, "dynamodb": {**body, "ApproximateCreationDateTime": created}})
        more = at + 2 < len(self.records)
        return {"Records": page, **({"NextShardIterator": str(at + 2)} if more else {})}


def test_a_quarantined_record_becomes_a_row_that_holds_it_whole(account: Account) -> None:
    """With what a person needs to judge it, and a replay to find its item."""
    record = poison()
    assert account.consume(letter(record)) == DONE
    (row,) = account.rows()
    assert (row["kind"], row["status"], row["seen"]) == ("quarantined", "open", 1)
    assert (row["table"], row["keys"]) == (PRODUCTS, {"productId": {"S": "p"}})
    assert (row["sink"], row["model"]) == ("opensearch", "Product")
    assert (row["error_class"], row["error"]) == ("InvalidImage", "not a valid Product: price")
    assert row["first_at"] == row["last_at"] == "2026-11-21T08:00:00.000Z"
    shown = account.call("dlq show", id=row["id"])
    assert shown["body"] == record
    assert "InvalidImage" in shown["row"]["trace"]


def test_a_message_delivered_twice_is_one_letter(account: Account) -> None:
    """SQS delivers at least once."""
    for _ in range(2):
        assert account.consume(letter(poison())) == DONE
    assert [row["seen"] for row in account.rows()] == [1]


def test_a_letter_published_twice_is_one_row_that_counts(account: Account) -> None:
    """Lambda delivers a batch again, and its letters with it."""
    account.consume(letter(poison()), message_id="one")
    account.consume(letter(poison(), at="2026-11-21T08:00:05+00:00"), message_id="two")
    (row,) = account.rows()
    assert row["seen"] == 2
    assert (row["first_at"], row["last_at"]) == (
        "2026-11-21T08:00:00.000Z",
        "2026-11-21T08:00:05.000Z",
    )


def test_a_resolved_row_that_fails_again_is_open_again(account: Account) -> None:
    """And does not expire."""
    account.consume(letter(poison()), message_id="one")
    account.call("dlq discard", ids=[account.rows()[0]["id"]], reason="test data")
    (resolved,) = account.rows("discarded")
    later = iso(epoch(resolved["resolved_at"]) + 60)
    account.consume(letter(poison(), at=later), message_id="two")
    (row,) = account.rows()
    assert row["id"] == resolved["id"]
    raw = account.dynamodb.get_item(TableName=LETTERS, Key={"id": {"S": row["id"]}})["Item"]
    assert not {"expires_at", "resolved_at", "reason"} & set(raw)


def test_a_late_copy_of_a_letter_does_not_open_its_resolved_row(account: Account) -> None:
    """It tells of the failure that the resolution came after."""
    account.consume(letter(poison()), message_id="one")
    account.call("dlq discard", ids=[account.rows()[0]["id"]], reason="test data")
    account.consume(letter(poison()), message_id="two")
    assert account.rows() == []


def test_a_body_that_is_in_s3_already_stays_there(account: Account) -> None:
    """The row points to it, and show fetches it."""
    record = poison()
    account.boto("s3").put_object(Bucket=BUCKET, Key="k", Body=json.dumps(record).encode())
    message = letter(record)
    del message["record"]
    account.consume({**message, "payload": {"bucket": BUCKET, "key": "k", "bytes": 9}})
    (row,) = account.rows()
    assert account.call("dlq show", id=row["id"])["body"] == record
    account.boto("s3").delete_object(Bucket=BUCKET, Key="k")
    shown = account.call("dlq show", id=row["id"])
    assert shown["body"] is None
    assert "k" in shown["body_error"]


def test_a_large_body_goes_to_s3(account: Account) -> None:
    """An item holds 400 KB at most."""
    record = poison(text="x" * 300_000)
    account.consume(letter(record))
    (row,) = account.rows()
    item = account.dynamodb.get_item(TableName=LETTERS, Key={"id": {"S": row["id"]}})["Item"]
    assert "body" not in item
    assert account.call("dlq show", id=row["id"])["body"] == record


def test_the_records_of_a_range_are_fetched_at_once(account: Account) -> None:
    """From its first to its last number, over pages, and no others."""
    records = [poison(f"p{n}", number=n) for n in range(1, 8)]
    records[2]["dynamodb"]["NewImage"]["photo"] = {"B": b"\x00"}
    account.stream = Stream(records)
    assert account.consume(range_document(records[1:6])) == DONE
    rows = sorted(account.rows(), key=lambda row: str(row["keys"]))
    assert [row["keys"]["productId"]["S"] for row in rows] == ["p2", "p3", "p4", "p5", "p6"]
    assert {row["kind"] for row in rows} == {"given-up"}
    assert {row["error_class"] for row in rows} == {"RetryAttemptsExhausted"}
    bodies = [account.call("dlq show", id=row["id"])["body"] for row in rows]
    assert bodies[0] == records[1]
    assert bodies[1]["dynamodb"]["NewImage"]["photo"] == {"B": "AA=="}


def test_a_range_past_retention_says_what_covers_it(account: Account) -> None:
    """Those records that are there are kept all the same."""
    records = [poison(f"p{n}", number=n) for n in range(1, 6)]
    account.stream = Stream(records, trimmed=3)
    assert account.consume(range_document(records)) == DONE
    by_kind = {row["kind"]: row for row in account.rows()}
    assert sorted(row["kind"] for row in account.rows()) == ["given-up", "given-up", "lost-range"]
    assert "has 2 of the 5 records" in by_kind["lost-range"]["error"]
    assert f"python -m sync resync --table {PRODUCTS}" in by_kind["lost-range"]["error"]
    assert by_kind["lost-range"]["table"] == PRODUCTS


def test_a_range_older_than_its_stream_is_not_looked_for(account: Account) -> None:
    """The open shard has a day of newer records, to be paged through for nothing."""
    records = [poison()]
    account.stream = Stream(records)
    account.stream.fails = AssertionError("the stream was read")
    old = "2000-01-01T00:00:00Z"
    assert account.consume(range_document(records, approximateArrivalOfLastRecord=old)) == DONE
    (row,) = account.rows()
    assert (row["kind"], "has 0 of the 1 records" in row["error"]) == ("lost-range", True)


def test_a_range_of_a_stream_that_is_gone_is_lost_as_a_whole(account: Account) -> None:
    """Its table was removed, or its stream switched off and on."""
    records = [poison()]
    account.stream = Stream(records)
    account.stream.fails = Stream.exceptions.ResourceNotFoundException({"Error": {}}, "Get")
    assert account.consume(range_document(records)) == DONE
    (row,) = account.rows()
    assert (row["kind"], "has 0 of the 1 records" in row["error"]) == ("lost-range", True)


def test_a_stream_that_does_not_answer_brings_the_message_again(account: Account) -> None:
    """Its records must not be given up for that; other messages go on."""
    records = [poison()]
    account.stream = Stream(records)
    account.stream.fails = ClientError(
        {"Error": {"Code": "LimitExceededException"}}, "GetShardIterator"
    )
    answer = account.consume(range_document(records), letter(poison()))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert len(account.rows()) == 1


def test_an_invocation_that_failed_is_kept_with_its_payload(account: Account) -> None:
    """Asynchronous and scheduled ones (Lambda guide, invocation-async)."""
    payload = {"command": "resync", "table": "t"}
    document = {
        "version": "1.0",
        "timestamp": "2026-11-21T08:00:00.000Z",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": "arn:aws:lambda:us-east-1:1:function:admin:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": payload,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {
            "errorMessage": "no model is of the table 't'",
            "errorType": "ConfigError",
            "stackTrace": ["line 1\n", "line 2\n"],
        },
    }
    assert account.consume(document) == DONE
    (row,) = account.rows()
    assert (row["kind"], row["error_class"]) == ("invocation", "ConfigError")
    shown = account.call("dlq show", id=row["id"])
    assert (shown["body"], shown["row"]["trace"]) == (payload, "line 1\nline 2\n")


def test_a_redriven_message_becomes_a_row_for_each_key(account: Account) -> None:
    """The resync queue's own redrive policy puts it here as it is."""
    keys = tuple(Parked(Source(PRODUCTS, {"productId": {"S": p}}), 7) for p in ("a", "b"))
    assert account.consume(Message("opensearch", keys, 3, 1_795_000_000.0).body()) == DONE
    rows = account.rows()
    assert sorted(row["keys"]["productId"]["S"] for row in rows) == ["a", "b"]
    assert {(row["kind"], row["sink"], row["after"]) for row in rows} == {
        ("parked", "opensearch", 7)
    }
    assert "received 6 times" in rows[0]["error"]


class Letters:
    """DynamoDB's client, with a row that can't be written; it keeps which rows were."""

    def __init__(self, client: Any, fails: str) -> None:
        self.client = client
        self.fails = fails
        self.written: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def update_item(self, **request: Any) -> Any:
        keys = json.loads(request["ExpressionAttributeValues"][":keys"]["S"])
        self.written.append(keys["productId"]["S"])
        if self.written[-1] == self.fails:
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "UpdateItem")
        return self.client.update_item(**request)


def test_a_row_that_cannot_be_kept_delays_no_other(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a range the stream may have nothing left tomorrow."""
    account.stream = Stream(records := [poison(f"p{n}", number=n) for n in range(1, 5)])
    table = Letters(account.dynamodb, fails="p2")
    monkeypatch.setattr(account.service.dead_letter_table, "_clients", lambda _: table)
    again = {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert account.consume(range_document(records)) == again
    assert table.written == ["p1", "p2", "p3", "p4"]
    kept = {row["keys"]["productId"]["S"] for row in account.rows()}
    assert kept == {"p1", "p3", "p4"}


def test_a_message_that_comes_again_does_only_what_is_left(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a range that takes longer than an invocation would never be done."""
    account.stream = Stream(records := [poison(f"p{n}", number=n) for n in range(1, 5)])
    table = Letters(account.dynamodb, fails="p2")
    monkeypatch.setattr(account.service.dead_letter_table, "_clients", lambda _: table)
    account.consume(range_document(records))
    table.written, table.fails = [], ""
    assert account.consume(range_document(records)) == DONE
    assert table.written == ["p2"]
    assert [row["seen"] for row in account.rows()] == [1] * 4


@pytest.mark.parametrize(
    "body",
    [
        "no JSON at all",
        "[]",
        "null",
        '{"a": 1}',
        '{"kind": "quarantined"}',
        '{"kind": "quarantined", "schema": 2, "id": "x"}',
        '{"kind": "quarantined", "schema": 1, "id": "x", "at": "noon", "error": {}}',
        '{"DDBStreamBatchInfo": {}}',
        '{"DDBStreamBatchInfo": {"streamArn": "a", "shardId": "s", "startSequenceNumber": "9", '
        '"endSequenceNumber": "1", "batchSize": 1}}',
        '{"requestPayload": {}}',
        '{"sink": "opensearch", "keys": [{}], "schema": 1}',
        '{"sink": "s", "keys": [], "schema": 99}',
        '{"sink": "s", "keys": [], "schema": 1, "tries": 0, "since": 0}',
        '{"kind": "quarantined", "schema": 1, "payload": 5, "at": "2026-11-21T08:00:00Z", '
        '"id": "i", "error": {"class": "a", "message": "b", "trace": "c"}}',
    ],
)
def test_anything_else_is_kept_as_it_came(body: str, account: Account) -> None:
    """Nothing that arrives here is dropped, or comes again for ever."""
    assert account.consume(body) == DONE
    (row,) = account.rows()
    assert row["kind"] == "unknown"
    shown = account.call("dlq show", id=row["id"])["body"]
    assert shown == (body if body.startswith("no") else json.loads(body))


def test_a_table_that_does_not_answer_brings_the_message_again(account: Account) -> None:
    """The letter stays on the queue meanwhile."""
    account.dynamodb.delete_table(TableName=LETTERS)
    answer = account.consume(letter(poison()))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}


def test_messages_of_a_queue_that_is_not_ours_are_refused(account: Account) -> None:
    """A mapping that was set up by mistake shows at once."""
    with pytest.raises(RecordError, match="no handler for messages of the queue other"):
        account.consume({}, queue="other")


@pytest.mark.parametrize(
    "keys",
    [None, {}, "x", {"PK": 5}, {"PK": {"S": 5}}, {"PK": {"M": "x"}}, {"PK": {"B": "?"}}],
)
def test_keys_that_are_none_are_not_taken_for_keys(keys: Any) -> None:
    """They would fail every key that is read with them."""
    assert keys_of(keys) is None


def test_a_version_that_cannot_be_told_is_none() -> None:
    """A malformed record is no reason to fail."""
    malformed: list[Any] = [None, {}, {"dynamodb": {}}, "x"]
    assert [version_of(record) for record in malformed] == [0, 0, 0, 0]
