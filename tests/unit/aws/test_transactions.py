"""Transactions: all or none, what a refusal means, and who tries again."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sync.aws import transactions
from sync.aws.transactions import TRIES, transact, until_undisturbed
from sync.errors import Misconfigured, Refused, Retry, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from tests.doubles.clocks import ManualClock

ACTIONS: Any = [{"Delete": {"TableName": "t", "Key": {"id": {"S": "1"}}}}]


class Database:
    """Answers transactions with *error*, if there is one; keeps what it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[dict[str, Any]] = []

    def __call__(self, service: str) -> "Database":
        assert service == "dynamodb"
        return self

    def transact_write_items(self, **request: Any) -> None:
        self.asked.append(request)
        if self.error:
            raise self.error


def refused(code: str, *reasons: str | None, status: int = 400) -> ClientError:
    """A response with this error *code*; None: DynamoDB leaves out the reason of an action."""
    listed = [{} if reason is None else {"Code": reason} for reason in reasons]
    response: Any = {
        "Error": {"Code": code, "Message": "no"},
        "CancellationReasons": listed,
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "TransactWriteItems")


def cancelled(*reasons: str | None) -> ClientError:
    return refused("TransactionCanceledException", *reasons)


def test_the_actions_are_sent_in_one_request_with_a_token_of_its_own() -> None:
    """boto3 may send it twice; another transaction with equal actions is another."""
    database = Database()
    assert transact(database, ACTIONS, "counting") is True
    assert transact(database, ACTIONS, "counting") is True
    assert [asked["TransactItems"] for asked in database.asked] == [ACTIONS, ACTIONS]
    assert len({UUID(asked["ClientRequestToken"]) for asked in database.asked}) == 2


@pytest.mark.parametrize(
    "reasons",
    [
        ("ConditionalCheckFailed",),
        ("None", "TransactionConflict"),
        (None, "ConditionalCheckFailed", "TransactionConflict"),
    ],
)
def test_another_writer_was_first(reasons: tuple[str | None, ...]) -> None:
    """That is no error: what it left has to be read anew."""
    assert transact(Database(cancelled(*reasons)), ACTIONS, "counting") is False


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (cancelled("None", "ThrottlingError"), Throttled),
        (cancelled("ConditionalCheckFailed", "ProvisionedThroughputExceeded"), Throttled),
        (cancelled("ValidationError"), Misconfigured),
        (cancelled("ConditionalCheckFailed", "ItemCollectionSizeLimitExceeded"), Misconfigured),
        (refused("TransactionInProgressException"), Unavailable),
        (refused("ResourceNotFoundException"), Misconfigured),
        (refused("InternalServerError", status=500), Unavailable),
        (EndpointConnectionError(endpoint_url="https://dynamodb"), Unavailable),
    ],
)
def test_what_is_no_other_writer_is_raised(error: Exception, kind: type[Retry]) -> None:
    """By what can be done about it; the message says what was tried, and the cause is kept."""
    with pytest.raises(Retry, match="^counting: ") as raised:
        transact(Database(error), ACTIONS, "counting")
    assert type(raised.value) is kind
    assert raised.value.__cause__ is error
    assert str(error) in str(raised.value)


class Attempts:
    """Answers each attempt as told, an item by its place; keeps what was tried."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.tried: list[list[str]] = []

    def __call__(self, left: Sequence[str]) -> list[tuple[str, Any]]:
        self.tried.append(list(left))
        answer = self.answers[min(len(self.tried), len(self.answers)) - 1]
        return [(item, answer.get(item, True)) for item in left]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    """Waits are as long as they may become."""
    monkeypatch.setattr("sync.runtime.retry.random.uniform", lambda _least, most: most)
    return ManualClock()


def settled(clock: ManualClock, attempts: Attempts, seconds: float = 60.0) -> dict[str, Any]:
    deadline = Deadline(seconds, clock=clock.monotonic, sleep=clock.sleep)
    return dict(until_undisturbed("ab", attempts, deadline))


def test_only_what_failed_is_tried_again(clock: ManualClock) -> None:
    """And a refusal is an end as well."""
    no = Refused("no")
    attempts = Attempts({"a": Throttled("429")}, {"a": no})
    assert settled(clock, attempts) == {"a": no, "b": True}
    assert attempts.tried == [["a", "b"], ["a"]]


def test_waits_double_from_a_twentieth_of_a_second_to_a_second(clock: ManualClock) -> None:
    """Others hold the items for a moment only; twelve tries, and then the last error."""
    busy = Throttled("429")
    attempts = Attempts({"a": busy, "b": busy})
    assert settled(clock, attempts) == {"a": busy, "b": busy}
    assert len(attempts.tried) == TRIES
    assert clock.slept == [0.05, 0.1, 0.2, 0.4, 0.8, *[1.0] * (TRIES - 6)]


def test_what_no_retry_corrects_is_tried_once(clock: ManualClock) -> None:
    """Nor is what failed beside it: the next call would be told the same."""
    attempts = Attempts({"a": Throttled("429"), "b": Misconfigured("403")})
    found = settled(clock, attempts)
    assert (str(found["a"]), str(found["b"])) == ("429", "403")
    assert (len(attempts.tried), clock.slept) == (1, [])


def test_without_time_nothing_is_tried(clock: ManualClock) -> None:
    """Each item is told so."""
    attempts = Attempts({})
    found = settled(clock, attempts, seconds=0.0)
    told = {item: (type(error), str(error)) for item, error in found.items()}
    assert told == dict.fromkeys("ab", (Unavailable, "no time is left"))
    assert attempts.tried == []


def test_no_wait_goes_past_the_deadline(clock: ManualClock) -> None:
    """The last error is what is told then."""
    busy = Throttled("429")
    attempts = Attempts({"a": busy, "b": busy})
    assert settled(clock, attempts, seconds=0.2) == {"a": busy, "b": busy}
    assert clock.slept == [0.05, 0.1]


def test_a_transaction_holds_what_dynamodb_takes() -> None:
    """A hundred actions (API reference, TransactWriteItems)."""
    assert transactions.MOST_ACTIONS == 100
