"""The counters sink when calls fail, get lost, or meet others at the same counters."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.aws.transactions import TRIES
from sync.errors import Misconfigured, Throttled, Unavailable
from sync.models.core.faa_link import IcaoType
from sync.runtime.deadline import Deadline
from sync.sinks.counters import Counters
from sync.writing.op import Done, Op
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import (
    FAMILY,
    Killed,
    Tables,
    at,
    counted,
    killed_after,
    killed_before,
    lost_answer,
    lost_request,
    patient,
    says,
    write,
)
from tests.doubles.logged import logged

WRITTEN, STALE = Done.WRITTEN, Done.STALE


def cancelled(*codes: str) -> Callable[[str, Callable[[], Any]], Any]:
    """A transaction that DynamoDB cancels, for these reasons."""

    def fault(name: str, call: Callable[[], Any]) -> Any:
        if name != "transact_write_items":
            return call()
        raise ClientError(
            {
                "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
                "CancellationReasons": [{"Code": code} for code in codes],
                "ResponseMetadata": {"HTTPStatusCode": 400},  # type: ignore[typeddict-item]
            },
            "TransactWriteItems",
        )

    return fault


@pytest.mark.parametrize(
    ("codes", "error", "tries"),
    [
        (("None", "TransactionConflict"), Throttled, TRIES),
        (("ConditionalCheckFailed", "None"), Throttled, TRIES),
        (("TransactionConflict", "ThrottlingError"), Throttled, TRIES),
        (("ProvisionedThroughputExceeded",), Throttled, TRIES),
        (("ValidationError", "None"), Misconfigured, 1),
    ],
)
def test_what_is_cancelled_for_good_is_handed_back(
    tables: Tables, codes: tuple[str, ...], error: type[Exception], tries: int
) -> None:
    """After a bounded number of tries, where trying can help."""
    sink, client = tables.counters(cancelled(*codes))
    assert write(sink, [says(1, counted(1), 1)]) == [error]
    assert client.calls["transact_write_items"] == tries
    assert tables.held() == {}


def test_a_conflict_that_passes_is_no_failure(tables: Tables) -> None:
    """The next try reads anew."""
    sink, client = tables.counters(at(1, cancelled("TransactionConflict")))
    assert write(sink, [says(1, counted(1), 1)]) == [WRITTEN]
    assert client.calls == {"batch_get_item": 2, "transact_write_items": 2}


def test_a_missing_table_is_about_us(tables: Tables) -> None:
    """It is not tried again, and named."""
    _, client = tables.counters()
    sink = Counters(client, contributions="gone", counters=tables.core)
    ((_, result),) = sink.write([says(1, counted(1), 1)], patient())
    assert isinstance(result, Misconfigured)
    assert str(result).startswith("reading from gone: ")
    assert sum(client.calls.values()) == 1


def test_a_missing_table_of_counters_is_about_us(tables: Tables) -> None:
    """It is found when the contribution and its counter are written together; neither is."""
    _, client = tables.counters()
    sink = Counters(client, contributions=tables.contributions, counters="gone")
    ((_, result),) = sink.write([says(1, counted(1), 1)], patient())
    assert isinstance(result, Misconfigured)
    assert str(result).startswith("counting: ")
    assert tables.rows(tables.contributions) == []


def test_a_transaction_that_fails_is_not_followed_by_others(tables: Tables) -> None:
    """Its failure would repeat: all that is left has the same error, and is tried again with it."""
    sink, client = tables.counters(cancelled("ValidationError"))
    ops = [says(n, counted(n), 1) for n in range(60)]  # two transactions
    assert write(sink, ops) == [Misconfigured] * 60
    assert client.calls["transact_write_items"] == 1


def test_a_transaction_that_lost_leaves_the_others_alone(tables: Tables) -> None:
    """Others changed its counters, not theirs; only its own ops are tried again."""
    sink, client = tables.counters(at(1, cancelled("TransactionConflict")))
    ops = [says(n, counted(n), 1) for n in range(60)]
    assert write(sink, ops) == [WRITTEN] * 60
    sizes = [
        len(request["TransactItems"])
        for name, request in client.requests
        if name == "transact_write_items"
    ]
    assert sizes == [100, 20, 100]
    assert tables.held() == {counted(n): 1 for n in range(60)}


def test_time_that_runs_out_ends_before_a_transaction(tables: Tables) -> None:
    """What was counted until then stays counted."""
    clock = ManualClock()

    def slow(name: str, call: Callable[[], Any]) -> Any:
        if name == "transact_write_items":
            clock.now += 5
        return call()

    sink, client = tables.counters(slow)
    ops = [says(n, counted(n), 1) for n in range(60)]
    deadline = Deadline(5, clock=clock.monotonic, sleep=clock.sleep)
    outcomes = list(sink.write(ops, deadline))
    late = [result for _, result in outcomes if result is not WRITTEN]
    assert {(type(result), str(result)) for result in late} == {(Unavailable, "no time is left")}
    assert len(late) == 10
    assert client.calls["transact_write_items"] == 1


def test_contention_is_told_in_the_end(tables: Tables) -> None:
    """It names nobody: the others may be any."""
    sink, _ = tables.counters(cancelled("TransactionConflict"))
    ((_, result),) = sink.write([says(1, counted(1), 1)], patient())
    assert str(result) == "other calls changed the same counters at the same time"


def test_a_contribution_that_cannot_be_read_is_left_as_it_is(tables: Tables) -> None:
    """Nobody knows what its item contributed before; the others are counted."""

    def half(name: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if name == "batch_get_item" and tables.contributions in answer["Responses"]:
            keys = [{"id": {"S": f"{FAMILY}#{says(1, None, 1).id}"}}]
            answer["UnprocessedKeys"] = {tables.contributions: {"Keys": keys}}
        return answer

    sink, _ = tables.counters(half)
    clock = ManualClock()
    deadline = Deadline(2, clock=clock.monotonic, sleep=clock.sleep)
    outcomes = {
        op.id: result
        for op, result in sink.write([says(1, counted(1), 1), says(2, counted(2), 1)], deadline)
    }
    unread = outcomes.pop(says(1, None, 1).id)
    assert isinstance(unread, Throttled)
    assert "left unprocessed" in str(unread)
    assert counted(1) not in tables.held()


def test_no_time_left_asks_nothing(tables: Tables) -> None:
    """Every op is handed back."""
    sink, client = tables.counters()
    assert write(sink, [says(1, counted(1), 1)], Deadline(0)) == [Unavailable]
    assert not client.calls


@pytest.mark.parametrize("call", range(5))
@pytest.mark.parametrize("fault", [lost_request, lost_answer])
def test_an_unknown_outcome_is_found_out(tables: Tables, call: int, fault: Any) -> None:
    """Whichever call's request or answer is lost, each change counts once."""
    sink, _ = tables.counters()
    write(sink, [says(n, counted(1), 1) for n in range(3)])
    sink, _ = tables.counters(at(call, fault))
    assert write(sink, [says(1, counted(2), 2), says(2, None, 2)]) == [WRITTEN, WRITTEN]
    assert tables.held() == {counted(1): 1, counted(2): 1}


@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("fault", [killed_before, killed_after])
def test_what_is_cut_short_is_finished_by_redelivery(tables: Tables, call: int, fault: Any) -> None:
    """Whichever call was the last."""
    sink, _ = tables.counters()
    write(sink, [says(n, counted(1), 1) for n in range(3)])
    ops = [says(1, counted(2), 2), says(2, None, 2)]
    sink, _ = tables.counters(at(call, fault))
    with pytest.raises(Killed):
        write(sink, ops)
    sink, _ = tables.counters()
    assert write(sink, ops) == [WRITTEN, WRITTEN]
    assert tables.held() == {counted(1): 1, counted(2): 1}


@pytest.mark.parametrize("held", [None, -3, 0, 1])
def test_a_counter_that_holds_too_little_is_gone_and_told(
    tables: Tables, held: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """What it should hold can't be known here. It is not negative, and not tried forever."""
    sink, client = tables.counters()
    write(sink, [says(n, counted(1), 1) for n in range(5)])
    key = {"PK": {"S": "ICAO#MATCHER"}, "SK": {"S": counted(1).sort_key}}
    tables.delete(key)
    if held is not None:
        item = {**key, **{n: {"S": v} for n, v in counted(1).parts.items()}}
        tables.client.put_item(TableName=tables.core, Item={**item, "count": {"N": str(held)}})
    client.calls.clear()
    with caplog.at_level(logging.ERROR, "sync"):
        assert write(sink, [says(1, None, 2), says(2, None, 2)]) == [WRITTEN, WRITTEN]
    assert client.calls["transact_write_items"] == 1
    assert tables.held() == {}
    assert tables.contributing() == {counted(1): 3}
    assert logged(caplog) == [
        (
            "ERROR",
            "a counter held less than what contributes to it, and is gone: run recount",
            {"target": FAMILY, "sort_key": counted(1).sort_key, "held": held},
        )
    ]


def test_a_row_that_is_no_counter_is_told(tables: Tables) -> None:
    """Nothing is written over it."""
    sink, _ = tables.counters()
    write(sink, [says(1, counted(1), 1)])
    key = {"PK": {"S": "ICAO#MATCHER"}, "SK": {"S": counted(1).sort_key}}
    tables.put(key, count="many")
    ((_, result),) = sink.write([says(1, None, 2)], patient())
    assert isinstance(result, Misconfigured)
    assert str(result).startswith("not a counter, since it has no whole count: ")
    assert tables.get(key) == {**key, "count": {"S": "many"}}


# ── Others at the same counters ───────────────────────────────────────────────────────────────────


def late(tables: Tables, call: int, ops: list[Op], others: list[Op]) -> list[Any]:
    """The results of *ops*; before that call another sink writes *others*."""

    def meanwhile(_name: str, go_on: Callable[[], Any]) -> Any:
        assert write(tables.counters()[0], others) == [WRITTEN] * len(others)
        return go_on()

    sink, client = tables.counters(at(call, meanwhile))
    results = write(sink, ops)
    assert sum(client.calls.values()) > call  # else there was no such call
    return results


@pytest.mark.parametrize("call", range(2))
def test_a_new_link_that_another_counted_meanwhile_counts_once(tables: Tables, call: int) -> None:
    """Also where the other said something else, and later."""
    assert late(tables, call, [says(1, counted(1), 1)], [says(1, counted(1), 1)]) == [WRITTEN]
    assert tables.held() == {counted(1): 1}
    assert late(tables, call, [says(2, counted(1), 1)], [says(2, counted(2), 2)]) == [STALE]
    assert tables.held() == {counted(1): 1, counted(2): 1}


@pytest.mark.parametrize("call", range(3))
def test_a_link_that_another_moved_meanwhile_counts_once(tables: Tables, call: int) -> None:
    """The later statement stands, whoever was first."""
    write(tables.counters()[0], [says(1, counted(1), 1)])
    assert late(tables, call, [says(1, counted(2), 2)], [says(1, counted(3), 3)]) == [STALE]
    assert tables.held() == {counted(3): 1}
    write(tables.counters()[0], [says(2, counted(1), 1)])
    assert late(tables, call, [says(2, counted(2), 3)], [says(2, counted(3), 2)]) == [WRITTEN]
    assert tables.held() == {counted(2): 1, counted(3): 1}


@pytest.mark.parametrize("call", range(3))
@pytest.mark.parametrize("to", [None, counted(2)])
def test_a_counter_that_rises_meanwhile_is_not_removed(
    tables: Tables, call: int, to: IcaoType | None
) -> None:
    """It was read as one link's, and has another by now."""
    write(tables.counters()[0], [says(1, counted(1), 1)])
    assert late(tables, call, [says(1, to, 2)], [says(2, counted(1), 1)]) == [WRITTEN]
    assert tables.held() == tables.contributing()
    assert tables.held()[counted(1)] == 1


@pytest.mark.parametrize("call", range(3))
def test_a_counter_that_falls_meanwhile_does_not_stay_at_zero(tables: Tables, call: int) -> None:
    """It was read as two links', and is one's by now."""
    write(tables.counters()[0], [says(1, counted(1), 1), says(2, counted(1), 1)])
    assert late(tables, call, [says(1, None, 2)], [says(2, None, 2)]) == [WRITTEN]
    assert tables.held() == {}


@pytest.mark.parametrize("call", range(3))
def test_what_looks_like_drift_because_of_another_is_none(
    tables: Tables, call: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The other did the same: the counter is gone for a good reason."""
    write(tables.counters()[0], [says(1, counted(1), 1)])
    assert late(tables, call, [says(1, None, 2)], [says(1, None, 2)]) == [WRITTEN]
    assert tables.held() == {}
    assert not caplog.records
