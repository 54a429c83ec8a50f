"""Whatever arrives on the dead-letter queue becomes a row, once, whole."""

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.aws.keys import Source, keys_in
from sync.errors import RecordError
from sync.recovery.parking import Parked, ParkedMessage
from sync.stream.record import version_of
from tests.doubles.account import BUCKET, GIVEN_UP, LETTERS, Account
from tests.doubles.clocks import ManualClock
from tests.doubles.logged import logged
from tests.doubles.trouble import letter, poison
from tests.records import PRODUCTS

DONE: dict[str, Any] = {"batchItemFailures": []}


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


def test_a_letter_published_twice_is_one_letter(account: Account) -> None:
    """Lambda delivers a batch again, and its letters with it."""
    account.consume(letter(poison()), message_id="one")
    account.consume(letter(poison(), at="2026-11-21T08:00:05+00:00"), message_id="two")
    assert [row["seen"] for row in account.rows()] == [1]


def test_letters_of_one_key_and_sink_are_one_row_with_the_newest(account: Account) -> None:
    """In whatever order they come."""
    first, second, third = (letter(poison(text=f"t{n}", number=n)) for n in (1, 2, 3))
    for n, message in enumerate((first, third, second)):
        account.consume(message, message_id=f"m{n}")
    (row,) = account.rows()
    assert (row["seen"], row["version"]) == (3, third["version"])
    shown = account.call("dlq show", id=row["id"])
    assert shown["body"] == third["record"]
    assert shown["meanwhile"].startswith("opensearch still holds what was written last")


def test_a_letter_of_another_sink_has_a_row_of_its_own(account: Account) -> None:
    """Each is brought in line by itself."""
    account.consume(letter(poison()), {**letter(poison()), "sink": "typesense"})
    assert sorted(row["sink"] for row in account.rows()) == ["opensearch", "typesense"]


def test_a_resolved_row_that_fails_again_is_open_again(account: Account) -> None:
    """And does not expire."""
    account.consume(letter(poison(number=1)), message_id="one")
    account.call("dlq discard", ids=[account.rows()[0]["id"]], reason="test data")
    (resolved,) = account.rows("discarded")
    account.consume(letter(poison(number=2)), message_id="two")
    (row,) = account.rows()
    assert row["id"] == resolved["id"]
    raw = account.dynamodb.get_item(TableName=LETTERS, Key={"id": {"S": row["id"]}})["Item"]
    assert not {"expires_at", "resolved_at", "reason"} & set(raw)


@pytest.mark.parametrize("late", [1, 2], ids=["an older one", "a copy"])
def test_a_late_letter_does_not_open_its_discarded_row(late: int, account: Account) -> None:
    """A person has seen what is as new."""
    account.consume(letter(poison(number=2)), message_id="one")
    account.call("dlq discard", ids=[account.rows()[0]["id"]], reason="test data")
    account.consume(letter(poison(number=late)), message_id="two")
    assert account.rows() == []


@pytest.mark.parametrize(
    "bad",
    ["\ud800", "é" * 2_000, "", None, 5],
    ids=["surrogate", "long", "empty", "null", "number"],
)
@pytest.mark.parametrize("table", [PRODUCTS, None])
def test_a_letter_whose_id_no_row_can_have_is_kept_and_delays_no_other(
    bad: Any, table: str | None, account: Account
) -> None:
    """DynamoDB would refuse to look it up, and the others of its batch with it."""
    odd = {**letter(poison("odd")), "id": bad, "table": table}
    for _ in range(2):
        assert account.consume(letter(poison("p")), odd, letter(poison("q"))) == DONE
    seen = {row["keys"]["productId"]["S"]: row["seen"] for row in account.rows()}
    assert seen == {"p": 1, "odd": 1, "q": 1}


def test_a_body_that_is_in_s3_already_stays_there(account: Account) -> None:
    """The row points to it, and show fetches it."""
    record, key = poison(), "letters/row/one.json"
    account.boto("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(record).encode())
    message = letter(record)
    del message["record"]
    account.consume({**message, "payload": {"bucket": BUCKET, "key": key, "bytes": 9}})
    (row,) = account.rows()
    assert account.call("dlq show", id=row["id"])["body"] == record
    account.boto("s3").delete_object(Bucket=BUCKET, Key=key)
    shown = account.call("dlq show", id=row["id"])
    assert shown["body"] is None
    assert f"{key} is gone" in shown["body_error"]


def test_a_large_body_goes_to_s3(account: Account) -> None:
    """An item holds 400 KB at most. Its folder is the row's, so that it is erased with it."""
    record = poison(text="x" * 300_000)
    account.consume(letter(record))
    (row,) = account.rows()
    item = account.dynamodb.get_item(TableName=LETTERS, Key={"id": {"S": row["id"]}})["Item"]
    assert "body" not in item
    key = json.loads(item["payload"]["S"])["key"]
    assert key == f"letters/{row['id']}/{item['letter']['S']}.json"
    assert account.call("dlq show", id=row["id"])["body"] == record


def test_the_notification_that_s3_sends_as_a_test_is_no_letter(account: Account) -> None:
    """It comes when the stack is made."""
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}
    assert account.consume(test) == DONE
    assert account.rows() == []


def test_the_message_of_a_run_is_no_letter(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """The segment's row says what is left to do, and a schedule sends another one. Others are."""
    message = {"schema": 1, "run": "r", "segment": 2, "hop": 7}
    assert account.consume(message) == DONE
    assert account.rows() == []
    told = ("WARNING", "the message of a run came too often", {"of": message})
    assert told in logged(caplog, logging.WARNING)
    for name in ("run", "segment", "hop"):
        account.consume({key: value for key, value in message.items() if key != name})
    assert [row["kind"] for row in account.rows()] == ["unknown"] * 3


def test_a_range_without_its_records_says_what_covers_it(account: Account) -> None:
    """To a topic Lambda tells numbers alone."""
    assert account.consume(GIVEN_UP) == DONE
    (row,) = account.rows()
    assert (row["kind"], row["table"]) == ("lost-range", PRODUCTS)
    assert "gave up on 9 records" in row["error"]
    assert f"python -m sync resync --table {PRODUCTS}" in row["error"]


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
    assert account.consume(ParkedMessage("opensearch", keys, 3, 1_795_000_000.0).body()) == DONE
    rows = account.rows()
    assert sorted(row["keys"]["productId"]["S"] for row in rows) == ["a", "b"]
    assert {(row["kind"], row["sink"], row["after"]) for row in rows} == {
        ("parked", "opensearch", 7)
    }
    assert "received 6 times" in rows[0]["error"]


class FailingTable:
    """DynamoDB's client, with a row that can't be written; it keeps which rows were."""

    def __init__(self, client: Any, fails: str) -> None:
        self.client = client
        self.fails = fails
        self.written: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def put_item(self, **request: Any) -> Any:
        keys = json.loads(request["Item"]["keys"]["S"])
        self.written.append(keys["productId"]["S"])
        if self.written[-1] == self.fails:
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "PutItem")
        return self.client.put_item(**request)


class ContendedTable:
    """… with rows that others change between each reading and writing."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.tries = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def put_item(self, **_request: Any) -> Any:
        self.tries += 1
        code = "ConditionalCheckFailedException"
        raise self.client.exceptions.ConditionalCheckFailedException(
            {"Error": {"Code": code}}, "PutItem"
        )


class SlowTable:
    """… that takes as long for a write as an invocation has."""

    def __init__(self, client: Any, clock: ManualClock) -> None:
        self.client = client
        self.clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def put_item(self, **request: Any) -> Any:
        self.clock.sleep(300)
        return self.client.put_item(**request)


def test_a_row_that_cannot_be_kept_delays_no_other(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message comes again, for that one."""
    records = [poison(f"p{n}", number=n) for n in range(1, 5)]
    table = FailingTable(account.dynamodb, fails="p2")
    monkeypatch.setattr(account.service.dead_letter_table, "_clients", lambda _: table)
    again = {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert account.give_up(records) == again
    assert table.written == ["p1", "p2", "p3", "p4"]
    kept = {row["keys"]["productId"]["S"] for row in account.rows()}
    assert kept == {"p1", "p3", "p4"}


def test_a_row_that_others_change_at_each_try_comes_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer does not try for ever."""
    table = ContendedTable(account.dynamodb)
    monkeypatch.setattr(account.service.dead_letter_table, "_clients", lambda _: table)
    assert account.consume(letter(poison())) == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert table.tries == 5
    assert account.rows() == []


def test_rows_for_which_no_time_is_left_come_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one took all of it, and is kept."""
    table = SlowTable(account.dynamodb, account.clock)
    monkeypatch.setattr(account.service.dead_letter_table, "_clients", lambda _: table)
    again = {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert account.give_up([poison(f"p{n}", number=n) for n in range(1, 5)]) == again
    assert [row["keys"]["productId"]["S"] for row in account.rows()] == ["p1"]


def test_a_message_that_comes_again_does_only_what_is_left(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a batch that takes longer than an invocation would never be done."""
    records = [poison(f"p{n}", number=n) for n in range(1, 5)]
    table = FailingTable(account.dynamodb, fails="p2")
    monkeypatch.setattr(account.service.dead_letter_table, "_clients", lambda _: table)
    account.give_up(records)
    table.written, table.fails = [], ""
    assert account.give_up(records) == DONE
    assert table.written == ["p2"]
    assert [row["seen"] for row in account.rows()] == [1] * 4


@pytest.mark.parametrize(
    ("body", "error", "why"),
    [
        ("no JSON at all", "JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
        ("[]", "RecordError", "the message is not a JSON object"),
        ("null", "RecordError", "the message is not a JSON object"),
        ('{"a": 1}', "Unknown", "not a message that this queue is for"),
        ('{"sink": "s"}', "Unknown", "not a message that this queue is for"),
        ('{"keys": []}', "Unknown", "not a message that this queue is for"),
        ('{"kind": "quarantined"}', "KeyError", "'schema'"),
        (
            '{"kind": "quarantined", "schema": 2, "id": "x"}',
            "RecordError",
            "a letter of schema 2; this is 1",
        ),
        (
            '{"kind": "quarantined", "schema": 1, "id": "x", "at": "noon", "error": {}}',
            "ValueError",
            "Invalid isoformat string: 'noon'",
        ),
        ('{"DDBStreamBatchInfo": {}}', "KeyError", "'timestamp'"),
        ('{"Records": []}', "RecordError", "the message names no key"),
        ('{"Records": [{"s3": 5}]}', "TypeError", "'int' object is not subscriptable"),
        (
            '{"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": 5}}}]}',
            "AttributeError",
            "'int' object has no attribute 'replace'",
        ),
        ('{"requestPayload": {}}', "KeyError", "'requestContext'"),
        (
            '{"sink": "opensearch", "keys": [{}], "schema": 1}',
            "RecordError",
            "not a message of parked keys: KeyError('since')",
        ),
        (
            '{"sink": "s", "keys": [], "schema": 99}',
            "RecordError",
            "a message of schema 99; this is 2",
        ),
        (
            '{"sink": "s", "keys": [], "schema": 1, "tries": 0, "since": 0}',
            "RecordError",
            "the message names no key",
        ),
        (
            '{"kind": "quarantined", "schema": 1, "payload": 5, "at": "2026-11-21T08:00:00Z", '
            '"id": "i", "error": {"class": "a", "message": "b", "trace": "c"}}',
            "RecordError",
            "not a pointer to a payload: 5",
        ),
    ],
)
def test_anything_else_is_kept_as_it_came(
    body: str, error: str, why: str, account: Account
) -> None:
    """Nothing that arrives here is dropped, or comes again for ever; its row says what is wrong."""
    assert account.consume(body) == DONE
    (row,) = account.rows()
    assert (row["kind"], row["error_class"], row["error"]) == ("unknown", error, why)
    assert row["first_at"] == row["last_at"] == "2027-01-15T08:01:40.000Z"  # when it arrived
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
    assert keys_in(keys) is None


def test_a_version_that_cannot_be_told_is_none() -> None:
    """A malformed record is no reason to fail."""
    malformed: list[Any] = [None, {}, {"dynamodb": {}}, "x"]
    assert [version_of(record) for record in malformed] == [0, 0, 0, 0]
