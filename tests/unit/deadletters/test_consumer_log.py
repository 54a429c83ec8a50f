"""What the consumer of dead letters tells: lines of the log, alarms' metrics, and its answer."""

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.runtime.deadline import Deadline
from tests.doubles.account import BUCKET, CREATED, LETTERS, OBJECT, Account
from tests.doubles.logged import logged
from tests.doubles.trouble import letter, poison
from tests.records import PRODUCTS
from tests.unit.deadletters.test_consumer import DONE, FailingTable


@pytest.fixture(autouse=True)
def _all_lines(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sync")


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The exceptions that were logged."""
    return [str(record.exc_info[1]) for record in caplog.records if record.exc_info]


def counted(account: Account) -> int:
    """The metric that an alarm watches."""
    lines = [json.loads(line) for line in account.metrics]
    return sum(int(line.get("dead_letters", 0)) for line in lines)


def test_each_new_letter_is_told_once(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    """With its row, but without its body; a copy is no news."""
    for _ in range(2):
        account.consume(letter(poison("p", number=1)), letter(poison("q", number=2)))
    rows = sorted(account.rows(), key=lambda row: str(row["keys"]))
    assert logged(caplog) == [
        *(("ERROR", "dead letter", row) for row in rows),
        ("INFO", "dead letters", {"messages": 2, "kept": 2, "failed": 0}),
        ("INFO", "dead letters", {"messages": 2, "known": 2, "failed": 0}),
    ]
    assert counted(account) == 2


def test_a_late_letter_of_a_discarded_row_is_known(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """A person has seen what is as new: no alarm."""
    account.consume(letter(poison(number=2)), message_id="one")
    account.call("dlq discard", ids=[account.rows()[0]["id"]], reason="test data")
    account.consume(letter(poison(number=1)), message_id="two")
    assert logged(caplog)[-1] == (
        "INFO",
        "dead letters",
        {"messages": 1, "known": 1, "failed": 0},
    )
    assert counted(account) == 1


def test_rows_that_cannot_be_kept_are_told_with_their_message(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """How many there are, how many failed, and why the first did."""
    table = FailingTable(account.dynamodb, fails="p2")
    monkeypatch.setattr(account.service.dead_letter_table, "_clients", lambda _: table)
    account.give_up([poison(f"p{n}", number=n) for n in range(1, 4)])
    _, _, failed, last = logged(caplog)
    assert failed == (
        "ERROR",
        "dead letters could not be kept; their message comes again",
        {"message_id": "m-0", "rows": 3, "failures": 1},
    )
    assert last == ("INFO", "dead letters", {"messages": 1, "kept": 2, "failed": 1})
    (why,) = reasons(caplog)
    assert why.startswith(f"writing to {LETTERS}: ")
    assert account.boto("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1  # needed once more


def test_a_table_that_does_not_answer_is_told_with_the_message(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever was in the message could not be looked up."""
    account.dynamodb.delete_table(TableName=LETTERS)
    account.consume(letter(poison()))
    assert logged(caplog) == [
        (
            "ERROR",
            "dead letters could not be kept; their message comes again",
            {"message_id": "m-0", "rows": 0, "failures": 1},
        ),
        ("INFO", "dead letters", {"messages": 1, "failed": 1}),
    ]
    (why,) = reasons(caplog)
    assert why.startswith(f"reading from {LETTERS}: ")


def test_an_object_that_cannot_be_deleted_brings_its_message_again(
    account: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows are kept by then: what comes again only deletes it."""
    s3 = account.boto("s3")

    def denied(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObject")

    with monkeypatch.context() as patch:
        patch.setattr(s3, "delete_object", denied)
        again = account.give_up([poison()])
    assert again == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}
    (why,) = reasons(caplog)
    assert why.startswith(f"deleting s3://{BUCKET}/{OBJECT}: ")
    assert account.consume(CREATED) == DONE
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)
    assert [row["seen"] for row in account.rows()] == [1]


def test_an_object_that_is_gone_is_told(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    """By its key: S3 tells of an object at least once, and it was handled before."""
    assert account.consume(CREATED) == DONE
    assert logged(caplog)[0] == (
        "INFO",
        "an on-failure object is gone: handled before",
        {"key": OBJECT},
    )


def test_without_time_nothing_is_begun(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    """The message comes again, and says that nothing was wrong with it."""
    records = [
        {"messageId": "m", "body": json.dumps(letter(poison())), "attributes": {}},
    ]
    found = account.service.dead_letter_consumer.run(records, Deadline(0))
    assert found == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert account.rows() == []
    assert reasons(caplog) == ["time is up"]


@pytest.mark.parametrize("attributes", [{}, {"attributes": {}}])
def test_a_message_without_a_count_was_received_too_often(
    attributes: dict[str, Any], account: Account
) -> None:
    """Emulators leave it out."""
    body = (
        '{"schema":1,"sink":"opensearch","tries":0,"since":0,"keys":'
        f'[{{"table":"{PRODUCTS}","keys":{{"productId":{{"S":"p"}}}},"after":0}}]}}'
    )
    account.service.dead_letter_consumer.run(
        [{"messageId": "m", "body": body, **attributes}], Deadline(60)
    )
    (row,) = account.rows()
    assert row["error"] == (
        "its message was received too many times and never handled; "
        "the log of the resync function says why"
    )
