"""Status: how sinks, queues and streams are doing, and what is noted of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from sync.errors import Unavailable
from sync.sinks.opensearch import OpenSearch
from tests.doubles.account import LETTERS, STATE, Account
from tests.doubles.trouble import SOUND, failing, one_letter
from tests.records import CORE, PRODUCTS


def metric(account: Account, name: str, value: float, **dimension: str) -> None:
    ((key, of),) = dimension.items()
    namespace = "AWS/Lambda" if key == "FunctionName" else "AWS/SQS"
    account.boto("cloudwatch").put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": of}],
                "Timestamp": datetime.fromtimestamp(account.clock.now - 60, UTC),
                "Value": value,
            }
        ],
    )


def minutes(account: Account, queue: str, **held: Sequence[int]) -> None:
    """What SQS counted of *queue*, minute by minute until now, in each state."""
    data: list[Any] = [
        {
            "MetricName": f"ApproximateNumberOfMessages{state}",
            "Dimensions": [{"Name": "QueueName", "Value": queue}],
            "Timestamp": datetime.fromtimestamp(account.clock.now - 60 * ago, UTC),
            "Value": count,
        }
        for state, counts in held.items()
        for ago, count in enumerate(reversed(counts), start=1)
    ]
    account.boto("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=data)


def opensearch(answer: Any) -> Any:
    (sink,) = [sink for sink in answer["sinks"] if sink["sink"] == "opensearch"]
    return sink


def test_status_is_green_where_nothing_is_wrong(account: Account) -> None:
    """What was never measured is null, not fine."""
    account.put("p", **SOUND)
    account.call("resync", table=PRODUCTS)
    answer = account.call("status")
    assert (answer["level"], answer["problems"]) == ("green", [])
    sink = opensearch(answer)
    assert sink["last_success_at"] == answer["at"]
    assert (sink["lag_s"], sink["breaker"], sink["dead"]) == (0, "closed", 0)
    assert answer["stream"] == {"iterator_age_ms": None}
    assert answer["parked"] == {
        "waiting": 0,
        "delayed": 0,
        "in_flight": 0,
        "oldest_s": None,
        "lasting": None,
    }


@pytest.mark.parametrize(
    ("minutes", "level", "run"),
    [
        (14, "green", []),
        (16, "yellow", [None]),
        (1_446, "red", [f"python -m sync resync --table {table}" for table in (CORE, PRODUCTS)]),
    ],
)
def test_a_late_stream_is_told_and_what_to_run(
    minutes: int, level: str, run: list[str | None], account: Account
) -> None:
    """At 24 h a stream drops its records, read or not."""
    metric(account, "IteratorAge", minutes * 60_000, FunctionName="stream-sync-test-stream")
    answer = account.call("status")
    assert answer["level"] == level
    assert [problem["run"] for problem in answer["problems"]] == run
    assert answer["stream"]["iterator_age_ms"] == minutes * 60_000


def test_a_stage_says_when_a_stream_is_late(account: Account) -> None:
    """Its alarm and its status agree."""
    account.service = account.fresh(ITERATOR_AGE_ALARM_MS="7200000")
    metric(account, "IteratorAge", 119 * 60_000, FunctionName="stream-sync-test-stream")
    assert account.call("status")["level"] == "green"
    account.clock.now += 60
    metric(account, "IteratorAge", 121 * 60_000, FunctionName="stream-sync-test-stream")
    told = [problem["what"] for problem in account.call("status")["problems"]]
    assert told == ["a stream is 2.0 h late: records are lost at 24 h"]


FAILING = {"Visible": [0, 1] * 15, "NotVisible": [1, 0] * 15}  # received, dropped, received …


@pytest.mark.parametrize(
    ("queue", "told"),
    [
        ("dead-letters", "dead letters have waited for half an hour to be kept: their consumer"),
        ("typesense-dead-letters.fifo", "dead letters for typesense have waited for half an hour"),
        ("resync", "keys have been parked for half an hour"),
    ],
)
def test_a_consumer_that_keeps_failing_is_told(queue: str, told: str, account: Account) -> None:
    """By messages that are always there, whoever holds them: their age leaves them out."""
    minutes(account, queue, **FAILING)
    answer = account.call("status")
    assert answer["level"] == "yellow"
    (problem,) = answer["problems"]
    assert problem["what"].startswith(told)


def test_parked_keys_last_whatever_holds_them(account: Account) -> None:
    """Mostly they are delayed; SQS counts approximately, and may have missed them thrice."""
    delayed = [1] * 30
    for missed in (3, 14, 25):
        delayed[missed] = 0
    minutes(account, "resync", Delayed=delayed)
    assert account.call("status")["parked"]["lasting"] is True


@pytest.mark.parametrize("queue", ["dead-letters", "typesense-dead-letters.fifo", "resync"])
def test_messages_that_come_and_go_are_no_problem(queue: str, account: Account) -> None:
    """Each letter is there for a moment, until it is kept; a stale key for less than a minute."""
    minutes(account, queue, Visible=[1, 0, 0] * 10, NotVisible=[0, 1, 0] * 10)
    answer = account.call("status")
    assert (answer["level"], answer["problems"]) == ("green", [])


def test_a_busy_queue_of_a_sink_is_no_problem(account: Account) -> None:
    """It is never empty, and nothing waits long."""
    minutes(account, "typesense.fifo", Visible=[500] * 30)
    answer = account.call("status")
    (busy,) = [queue for queue in answer["queues"] if not queue["dead_letters"]]
    assert (busy["lasting"], answer["level"]) == (True, "green")


def test_a_sink_that_is_down_is_named_with_its_cause(account: Account) -> None:
    """By what a container saw last, until its breaker would try again."""
    failing(account, Unavailable("connection refused"))
    account.put("p", **SOUND)
    account.call("resync", table=PRODUCTS)
    answer = account.call("status")
    sink = opensearch(answer)
    assert sink["breaker"].startswith("open until 2027-")
    assert sink["broken_by"] == "Unavailable: connection refused"
    assert answer["level"] == "yellow"
    account.clock.now += 20
    assert opensearch(account.call("status"))["breaker"] == "closed"


def test_open_dead_letters_are_counted_by_sink(account: Account) -> None:
    """With the oldest, and what shows them."""
    one_letter(account)
    account.boto("sqs").send_message(
        QueueUrl=account.service.config.resync_queue_url, MessageBody="{}", DelaySeconds=60
    )
    metric(account, "ApproximateAgeOfOldestMessage", 42, QueueName="resync")
    answer = account.call("status")
    assert answer["level"] == "yellow"
    assert answer["dead_letters"] == {
        "open": 1,
        "counted_all": True,
        "oldest": "2026-11-21T08:00:00.000Z",
        "queued": 0,
        "lasting": None,
    }
    assert opensearch(answer)["dead"] == 1
    assert (answer["parked"]["delayed"], answer["parked"]["oldest_s"]) == (1, 42)


def test_what_cannot_be_told_is_a_problem_and_hides_nothing_else(account: Account) -> None:
    """Status is most needed when something is broken."""
    one_letter(account)
    account.dynamodb.delete_table(TableName=STATE)
    account.boto("sqs").delete_queue(QueueUrl=account.service.config.resync_queue_url)
    answer = account.call("status")
    assert answer["level"] == "yellow"
    told = " ".join(problem["what"] for problem in answer["problems"])
    assert STATE in told
    assert "resync" in told
    assert answer["dead_letters"]["open"] == 1
    assert answer["parked"] == {}


def test_dead_letters_that_cannot_be_counted_are_not_none(account: Account) -> None:
    """Null is not 0: there may be many."""
    account.dynamodb.delete_table(TableName=LETTERS)
    answer = account.call("status")
    assert answer["level"] == "yellow"
    assert opensearch(answer)["dead"] is None


def test_a_success_is_noted_once_a_minute(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing costs no request of its own beside that."""
    clients = account.service.clients
    calls: list[str] = []

    class Watched:
        """DynamoDB's client, as the state table uses it."""

        def update_item(self, **request: Any) -> Any:
            calls.append(request["Key"]["sink"]["S"])
            return clients("dynamodb").update_item(**request)

    state = account.service.state
    assert state is not None
    monkeypatch.setattr(state, "_clients", lambda _: Watched())
    account.put("p", **SOUND)
    for _ in range(5):
        account.call("resync", table=PRODUCTS)
        account.clock.now += 25
    assert calls == ["opensearch", "opensearch"]


def test_a_state_that_cannot_be_noted_fails_no_write(account: Account) -> None:
    """It is for looking at."""
    account.dynamodb.delete_table(TableName=STATE)
    account.put("p", **SOUND)
    assert account.call("resync", table=PRODUCTS)["counts"] == {"written": 1}


def test_without_a_state_table_nothing_is_noted(account: Account) -> None:
    """And status says that it does not know."""
    account.service = account.fresh(STATE_TABLE="")
    account.put("p", **SOUND)
    account.call("resync", table=PRODUCTS)
    assert account.call("status")["sinks"][0]["last_success_at"] is None
    assert OpenSearch.name in account.service.sinks
