"""Batches that Lambda gave up on, which it writes to the payload bucket, become rows."""

import json
from typing import Any

import pytest

from sync.deadletters.row import Row
from sync.deadletters.table import DeadLetterTable
from tests.doubles.account import BUCKET, CREATED, GIVEN_UP, OBJECT, Account
from tests.doubles.trouble import letter, poison
from tests.unit.deadletters.test_consumer import DONE


def test_the_records_that_lambda_gave_up_on_are_kept_whole(account: Account) -> None:
    """As it wrote them to the bucket, which then needs them no more."""
    records = [poison(f"p{n}", number=n) for n in range(1, 6)]
    assert account.give_up(records) == DONE
    rows = sorted(account.rows(), key=lambda row: str(row["keys"]))
    assert [row["keys"]["productId"]["S"] for row in rows] == ["p1", "p2", "p3", "p4", "p5"]
    assert {(row["kind"], row["error_class"]) for row in rows} == {
        ("given-up", "RetryAttemptsExhausted")
    }
    assert [account.call("dlq show", id=row["id"])["body"] for row in rows] == records
    assert "Contents" not in account.boto("s3").list_objects_v2(Bucket=BUCKET)
    assert account.consume(CREATED, message_id="again") == DONE  # S3 tells at least once
    assert len(account.rows()) == 5


def test_the_records_of_one_item_are_written_once(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many an object holds. Where calls often fail, a message that took a call for each
    record would never get through."""
    written: list[str] = []
    record = DeadLetterTable.record

    def counted(self: DeadLetterTable, letter: Row, *more: Any) -> Any:
        written.append(letter.id)
        return record(self, letter, *more)

    monkeypatch.setattr(DeadLetterTable, "record", counted)
    records = [poison("p", number=n) for n in (1, 3, 2)]
    assert account.give_up(records) == DONE
    (row,) = account.rows()
    assert written == [row["id"]]
    assert row["seen"] == 3
    assert account.call("dlq show", id=row["id"])["body"] == records[1]


def test_a_record_that_is_none_costs_no_other_of_its_object(account: Account) -> None:
    """It has a row of its own, whole."""
    odd: list[Any] = ["text", None, {"dynamodb": 5}, {"eventID": ["x"], "dynamodb": {"Keys": 1}}]
    assert account.give_up([poison(), *odd]) == DONE
    rows = account.rows()
    assert [row.get("keys") for row in rows].count({"productId": {"S": "p"}}) == 1
    bodies = [account.call("dlq show", id=row["id"])["body"] for row in rows]
    assert all(one in bodies for one in odd)


@pytest.mark.parametrize(
    ("payload", "error", "why"),
    [
        ("{}", "KeyError", "'Records'"),
        ("no JSON", "JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
        ('{"Records": []}', "RecordError", "the object contains no record"),
        ('{"Records": 5}', "TypeError", "'int' object is not iterable"),
    ],
)
def test_an_object_that_cannot_be_read_is_kept_as_it_is(
    payload: str, error: str, why: str, account: Account
) -> None:
    """In a row, and in the bucket."""
    account.boto("s3").put_object(
        Bucket=BUCKET, Key=OBJECT, Body=json.dumps({**GIVEN_UP, "payload": payload})
    )
    assert account.consume(CREATED) == DONE
    (row,) = account.rows()
    assert (row["kind"], row["error_class"], row["error"]) == ("unknown", error, why)
    assert row["first_at"] == "2027-01-15T08:01:40.000Z"
    assert account.call("dlq show", id=row["id"])["body"]["payload"] == payload
    assert len(account.boto("s3").list_objects_v2(Bucket=BUCKET)["Contents"]) == 1


def test_a_message_about_two_objects_keeps_the_records_of_both(account: Account) -> None:
    """S3 may tell of several objects at once."""
    one, two = "aws/lambda/one", "aws/lambda/two"
    for name, record in ((one, poison("p", number=1)), (two, poison("q", number=2))):
        document = {**GIVEN_UP, "payload": json.dumps({"Records": [record]})}
        account.boto("s3").put_object(Bucket=BUCKET, Key=name, Body=json.dumps(document))
    told = [{"s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}} for key in (one, two)]
    assert account.consume({"Records": told}) == DONE
    assert sorted(row["keys"]["productId"]["S"] for row in account.rows()) == ["p", "q"]
    assert "Contents" not in account.boto("s3").list_objects_v2(Bucket=BUCKET)


def test_a_bucket_that_does_not_answer_brings_the_message_again(account: Account) -> None:
    """Its records must not be given up for that; other messages go on."""
    account.boto("s3").delete_bucket(Bucket=BUCKET)
    answer = account.consume(CREATED, letter(poison()))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    assert len(account.rows()) == 1
