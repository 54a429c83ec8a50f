"""The counters sink, in an account in this process."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.deadline import Deadline
from sync.errors import ConfigError, Misconfigured, Refused, Throttled, Unavailable
from sync.sinks.base import Done, Op
from sync.sinks.counters import Counted, Counters
from sync.sinks.counters.rows import Contribution
from sync.sinks.counters.sink import Change, portions, read
from sync.transactions import TRIES
from tests.derived import (
    FAMILY,
    Killed,
    Tables,
    at,
    counted,
    in_process,
    killed_after,
    killed_before,
    link,
    lost_answer,
    lost_request,
    says,
    write,
)

WRITTEN, STALE = Done.WRITTEN, Done.STALE


@pytest.fixture
def tables() -> Iterator[Tables]:
    with in_process() as made:
        yield made


# ── What an op does ───────────────────────────────────────────────────────────────────────────────


def test_links_are_counted_moved_and_taken_away(tables: Tables) -> None:
    """Increment, move, decrement; a counter that comes to nothing is gone."""
    sink, _ = tables.counters()
    assert write(sink, [says(1, counted(1), 1), says(2, counted(1), 1)]) == [WRITTEN, WRITTEN]
    assert tables.held() == {counted(1): 2}
    assert write(sink, [says(1, counted(2), 2)]) == [WRITTEN]
    assert tables.held() == {counted(1): 1, counted(2): 1}
    assert write(sink, [says(1, None, 3), says(2, None, 3)]) == [WRITTEN, WRITTEN]
    assert tables.held() == {}


def test_redelivery_changes_nothing(tables: Tables) -> None:
    """And writes nothing."""
    sink, client = tables.counters()
    ops = [says(1, counted(1), 1), says(2, None, 1)]
    assert write(sink, ops) == write(sink, ops) == [WRITTEN, WRITTEN]
    assert tables.held() == {counted(1): 1}
    assert client.calls["transact_write_items"] == 1


def test_what_is_older_is_stale_also_after_a_removal(tables: Tables) -> None:
    """A row that contributes no more leaves its version behind, for a week."""
    sink, _ = tables.counters()
    second = 1_800_000_000
    write(sink, [says(1, counted(1), second * 10**9 + 5)])
    assert write(sink, [says(1, counted(2), second * 10**9 + 4)]) == [STALE]
    write(sink, [says(1, None, second * 10**9 + 7)])
    assert write(sink, [says(1, counted(1), second * 10**9 + 6)]) == [STALE]
    assert tables.held() == {}
    (row,) = tables.rows(tables.contributions)
    assert row["expires_at"] == {"N": str(second + 7 * 86_400)}
    assert "counter" not in row


def test_an_equal_version_is_written(tables: Tables) -> None:
    """Whatever it says: the last statement of a version counts."""
    sink, _ = tables.counters()
    write(sink, [says(1, counted(1), 7)])
    assert write(sink, [says(1, counted(2), 7)]) == [WRITTEN]
    assert tables.held() == {counted(2): 1}


def test_a_newer_statement_of_the_same_raises_the_version(tables: Tables) -> None:
    """Else an older one that comes late would be taken for news."""
    sink, client = tables.counters()
    write(sink, [says(1, counted(1), 1)])
    write(sink, [says(1, counted(1), 5)])
    assert write(sink, [says(1, counted(2), 3)]) == [STALE]
    assert tables.held() == {counted(1): 1}
    _, raised = [r for name, r in client.requests if name == "transact_write_items"]
    assert [list(action) for action in raised["TransactItems"]] == [["Put"]]  # no counter


def test_a_counter_names_what_it_counts(tables: Tables) -> None:
    """Key parts are percent-encoded, attributes are not."""
    sink, _ = tables.counters()
    write(sink, [says(1, Counted("C172", "CESSNA/Reims", "172 #7"), 1)])
    (row,) = [row for row in tables.rows(tables.core) if row["PK"]["S"] == "ICAO#MATCHER"]
    assert row == {
        "PK": {"S": "ICAO#MATCHER"},
        "SK": {"S": "TYPE#C172#CESSNA%2FReims#172%20%237"},
        "type_designator": {"S": "C172"},
        "manufacturer": {"S": "CESSNA/Reims"},
        "model": {"S": "172 #7"},
        "count": {"N": "1"},
    }


def test_a_contribution_names_its_link(tables: Tables) -> None:
    """Recount has to find the link of a row whose id is a hash."""
    sink, _ = tables.counters()
    write(sink, [says(1, counted(1), 1)])
    (row,) = tables.rows(tables.contributions)
    assert row["source_table"]["S"] == link(1).table
    assert json.loads(row["source_keys"]["S"]) == link(1).keys


def body(**fields: Any) -> bytes:
    return json.dumps({**counted(1)._asdict(), **fields}).encode()


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (b"{", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[]", "must hold"),
        (b"null", "must hold"),
        (b'{"model":"a"}', "must hold type_designator"),
        (body(other=1), "nothing else"),
        (body(model=""), "model"),
        (body(model=None), "model"),
        (body(manufacturer=5), "manufacturer"),
        (body(model="\ud800"), "surrogate"),
        (body(model="ü" * 500), "bytes"),
    ],
)
def test_a_bad_body_is_refused_alone(tables: Tables, bad: bytes, named: str) -> None:
    """The error says what is wrong with it."""
    sink, _ = tables.counters()
    ops = [says(1, counted(1), 1), Op(link(2), FAMILY, "2", bad, 1)]
    outcomes = {op.id: result for op, result in sink.write(ops, Deadline(60))}
    assert outcomes[ops[0].id] is WRITTEN
    assert isinstance(outcomes["2"], Refused)
    assert named in str(outcomes["2"])


def test_a_target_that_is_no_family_is_about_us(tables: Tables) -> None:
    """The rest is written."""
    sink, _ = tables.counters()
    ops = [says(1, counted(1), 1), Op(link(2), "typo", "2", None, 1)]
    assert write(sink, ops) == [WRITTEN, Misconfigured]


def test_settings_are_named_when_they_are_missing() -> None:
    """Both tables."""
    env = {"CONTRIBUTIONS_TABLE": "contributions", "COUNTERS_TABLE": "core"}
    sink = Counters.from_env(env)
    assert (sink.contributions, sink.counters) == ("contributions", "core")
    for name in env:
        with pytest.raises(ConfigError, match=name):
            Counters.from_env({**env, name: ""})


# ── Transactions ──────────────────────────────────────────────────────────────────────────────────


def test_a_hundred_links_of_one_counter_take_two(tables: Tables) -> None:
    """The counter stands in each once, with what they come to."""
    sink, client = tables.counters()
    assert write(sink, [says(n, counted(1), 1) for n in range(100)]) == [WRITTEN] * 100
    assert client.calls["transact_write_items"] == 2
    assert tables.held() == {counted(1): 100}


def test_moves_that_cancel_out_leave_their_counters_alone(tables: Tables) -> None:
    """Nothing is added, nothing taken."""
    sink, client = tables.counters()
    write(sink, [says(1, counted(1), 1), says(2, counted(2), 1)])
    client.requests.clear()
    write(sink, [says(1, counted(2), 2), says(2, counted(1), 2)])
    (request,) = [r for name, r in client.requests if name == "transact_write_items"]
    assert [list(action) for action in request["TransactItems"]] == [["Put"], ["Put"]]
    assert tables.held() == {counted(1): 1, counted(2): 1}


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 150), st.none() | st.integers(0, 150))),
)
def test_every_change_stands_in_one_transaction_that_fits(moves: list[tuple[Any, Any]]) -> None:
    """At most 100 actions, whatever the links do."""
    changes = []
    for n, (before, after) in enumerate(moves):
        said = read(says(n, None if after is None else counted(after), 2))
        stored = None if before is None else Contribution(counted(before).sort_key, 1)
        changes.append(Change(said, stored))
    found = list(portions(changes))
    assert sorted(c.said.op.id for p in found for c in p) == sorted(c.said.op.id for c in changes)
    for portion in found:
        counters = {counter for change in portion for counter in change.touched}
        assert len(portion) + len(counters) <= 100
    assert len(found) <= -(-len(changes) // 33)


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────


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
    ((_, result),) = sink.write([says(1, counted(1), 1)], Deadline(60))
    assert isinstance(result, Misconfigured)
    assert "gone" in str(result)
    assert sum(client.calls.values()) == 1


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
        item = {**key, **{n: {"S": v} for n, v in counted(1)._asdict().items()}}
        tables.client.put_item(TableName=tables.core, Item={**item, "count": {"N": str(held)}})
    client.calls.clear()
    with caplog.at_level(logging.ERROR, "sync"):
        assert write(sink, [says(1, None, 2), says(2, None, 2)]) == [WRITTEN, WRITTEN]
    assert client.calls["transact_write_items"] == 1
    assert tables.held() == {}
    assert tables.contributing() == {counted(1): 3}
    (record,) = caplog.records
    assert vars(record)["sort_key"] == counted(1).sort_key


def test_a_row_that_is_no_counter_is_told(tables: Tables) -> None:
    """Nothing is written over it."""
    sink, _ = tables.counters()
    write(sink, [says(1, counted(1), 1)])
    key = {"PK": {"S": "ICAO#MATCHER"}, "SK": {"S": counted(1).sort_key}}
    tables.put(key, count="many")
    assert write(sink, [says(1, None, 2)]) == [Misconfigured]


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
    tables: Tables, call: int, to: Counted | None
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


# ── A law ─────────────────────────────────────────────────────────────────────────────────────────

STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),  # a link
        st.none() | st.integers(0, 2),  # what it contributes to from now on
        st.integers(0, 5),  # the call at which the process dies; over 2: none
        st.sampled_from([killed_before, killed_after, lost_answer, lost_request]),
        st.integers(0, 9),  # an old batch that comes again, if there was one
    ),
    max_size=12,
)


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_counters_equal_a_recount_after_any_history(steps: list[Any]) -> None:
    """Batches cut short, delivered again and replayed late end as the last states have it."""
    with in_process() as tables:
        assert churn(tables, steps) == tables.held() == tables.contributing()


def churn(tables: Tables, steps: list[Any]) -> dict[Counted, int]:
    """Carry out *steps*; what a recount of the links gives in the end."""
    links: dict[int, Counted | None] = {}
    history: list[Op] = []
    for version, (n, to, call, fault, again) in enumerate(steps, 1):
        links[n] = None if to is None else counted(to)
        history.append(says(n, links[n], version))
        sink, _ = tables.counters(at(call, fault))
        try:
            write(sink, [history[-1]])
        except Killed:
            write(tables.counters()[0], [history[-1]])
        if again < len(history):
            write(tables.counters()[0], [history[again]])
    recount: dict[Counted, int] = {}
    for what in links.values():
        if what:
            recount[what] = recount.get(what, 0) + 1
    return recount


def test_a_sink_without_conditions_counts_twice(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The law finds the mistake that doubles counters under retry."""

    def unconditional(self: Counters, changes: Any, deadline: Deadline) -> Done:
        for change in changes:  # the counter first, then that it was counted
            table, key = self.counters, change.after.source(self.counters).keys
            tables.client.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="SET type_designator=:t, manufacturer=:m, #m=:o ADD #c :one",
                ExpressionAttributeNames={"#c": "count", "#m": "model"},
                ExpressionAttributeValues={
                    **{f":{k}": {"S": v} for k, v in zip("tmo", counted(1), strict=True)},
                    ":one": {"N": "1"},
                },
            )
            self._clients("dynamodb").put_item(
                TableName=self.contributions,
                Item={
                    "id": change.said.row(self.contributions).keys["id"],
                    "counter": {"S": change.after.sort_key},
                    "version": {"N": str(change.said.op.version)},
                },
            )
        return WRITTEN

    monkeypatch.setattr(Counters, "_carry_out", unconditional)
    recount = churn(tables, [(1, 1, 1, killed_before, 9)])
    assert recount == {counted(1): 1}
    assert tables.held() == {counted(1): 2}
