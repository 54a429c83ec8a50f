"""The table of runs: what is written when, and what is read back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sync.errors import Unavailable
from sync.runs.rows import Run, Segment
from sync.runs.table import KEPT_S, RunsTable
from sync.runtime.deadline import Deadline
from tests.doubles.account import RUNS, Account

DOWN = ClientError(
    {
        "Error": {"Code": "Oops", "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": 503},  # type: ignore[typeddict-item]
    },
    "Call",
)


class Asked:
    """The requests that a table makes. *before* is called with the name of each."""

    def __init__(self, account: Account) -> None:
        self._client = account.dynamodb
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.before: Callable[[str], object] = lambda _name: None

    def __call__(self, service: str) -> Any:
        assert service == "dynamodb"
        return self

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found):
            return found

        def call(**request: Any) -> Any:
            self.requests.append((name, request))
            self.before(name)
            return found(**request)

        return call

    def named(self, name: str) -> list[dict[str, Any]]:
        return [request for called, request in self.requests if called == name]


@pytest.fixture
def asked(account: Account) -> Asked:
    return Asked(account)


@pytest.fixture
def table(account: Account, asked: Asked) -> RunsTable:
    return RunsTable(RUNS, asked, account.clock)


def run_of(id_: str = "r", segments: int = 2, day: int = 15) -> Run:
    return Run(id_, "backfill", "t", {}, segments, None, f"2027-01-{day}T08:00:00.000Z")


def test_a_run_exists_only_with_its_segments(table: RunsTable, asked: Asked) -> None:
    """Its own row is written last."""
    segments = table.add(run_of())
    assert [request["Item"]["part"]["S"] for request in asked.named("put_item")] == [
        *("0000", "0001", "run")
    ]
    assert [(each.run, each.number, each.revision) for each in segments] == [
        ("r", 0, 1),
        ("r", 1, 1),
    ]
    assert {each.updated_at for each in segments} == {"2027-01-15T08:01:40.000Z"}
    assert table.segments("r", Deadline(9)) == segments
    assert [table.segment("r", number) for number in (0, 1)] == segments
    assert table.run("r") == replace(run_of(), revision=1)
    assert (table.run("x"), table.segment("r", 2), table.segments("x", Deadline(9))) == (
        *(None, None),
        [],
    )


def test_rows_that_exist_are_not_made_anew(table: RunsTable) -> None:
    """Nor is one written that does not exist: it has expired."""
    table.add(run_of())
    table.add(replace(run_of(), kind="another"))
    found = table.run("r")
    assert found is not None
    assert found.kind == "backfill"
    assert table.save(Segment("r", 5, revision=3)) is None
    assert table.segment("r", 5) is None


def test_what_is_saved_is_returned(account: Account, table: RunsTable) -> None:
    """A segment with the time; each with a number higher by one."""
    first, _ = table.add(run_of())
    account.clock.now += 1
    saved = table.save(replace(first, hop=3))
    assert saved == replace(first, hop=3, revision=2, updated_at="2027-01-15T08:01:41.000Z")
    assert table.segment("r", 0) == saved
    run = replace(run_of(), revision=1)
    paused = table.save(replace(run, status="paused"))
    assert paused == replace(run, status="paused", revision=2) == table.run("r")


def test_a_row_expires_90_days_after_its_last_write(
    account: Account, table: RunsTable, asked: Asked
) -> None:
    """But that of a run that is not over."""
    table.add(run_of())
    expires = [request["Item"].get("expires_at") for request in asked.named("put_item")]
    when = {"N": str(1_800_000_100 + KEPT_S)}
    assert expires == [when, when, None]
    account.clock.now += 1.5
    run = table.run("r")
    assert run is not None
    table.save(replace(run, finished_at="2027-01-15T08:01:41.000Z"))
    assert asked.named("put_item")[-1]["Item"]["expires_at"] == {"N": str(1_800_000_101 + KEPT_S)}


def test_runs_are_told_the_newest_first(table: RunsTable) -> None:
    """Without their segments."""
    for id_, day in (("a", 15), ("b", 17), ("c", 16)):
        table.add(run_of(id_, day=day))
    assert [run.id for run in table.runs(Deadline(9))] == ["b", "c", "a"]


def test_rows_are_read_consistently(table: RunsTable, asked: Asked) -> None:
    """A worker acts upon what it reads."""
    table.add(run_of())
    table.run("r")
    table.segments("r", Deadline(9))
    table.runs(Deadline(9))
    for name in ("get_item", "query", "scan"):
        (request,) = asked.named(name)
        assert (request["ConsistentRead"], request["TableName"]) == (True, RUNS)


# ── The end ───────────────────────────────────────────────────────────────────────────────────────


def done(table: RunsTable, *numbers: int) -> None:
    for number in numbers:
        segment = table.segment("r", number)
        assert segment is not None
        assert table.save(replace(segment, done=True)) is not None


def test_a_run_is_over_when_all_its_segments_are(account: Account, table: RunsTable) -> None:
    """And not before."""
    table.add(run_of())
    for numbers in ((), (1,)):
        done(table, *numbers)
        table.finish("r", Deadline(9))
        assert table.run("r") == replace(run_of(), revision=1)
    done(table, 0)
    account.clock.now += 2
    table.finish("r", Deadline(9))
    over = replace(run_of(), status="done", finished_at="2027-01-15T08:01:42.000Z", revision=2)
    assert table.run("r") == over
    account.clock.now += 2
    table.finish("r", Deadline(9))
    assert table.run("r") == over


def test_a_run_that_is_changed_while_it_ends_ends_all_the_same(
    table: RunsTable, asked: Asked
) -> None:
    """It is read anew."""
    table.add(run_of())
    done(table, 0, 1)
    run = table.run("r")
    assert run is not None

    def pause(name: str) -> None:
        if name == "put_item":
            asked.before = lambda _name: None
            assert table.save(replace(run, status="paused")) is not None

    asked.before = pause
    table.finish("r", Deadline(9))
    found = table.run("r")
    assert found is not None
    assert (found.status, found.revision) == ("done", 3)


def test_a_run_whose_row_is_gone_is_over(table: RunsTable) -> None:
    """Nothing is left to be ended."""
    table.finish("r", Deadline(9))
    assert table.run("r") is None


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────


def test_a_request_that_fails_is_said(table: RunsTable, asked: Asked) -> None:
    """With the table, and what was tried."""

    def fail(_name: str) -> None:
        raise DOWN

    asked.before = fail
    for call, text in (
        (lambda: table.run("r"), "reading from"),
        (lambda: table.segment("r", 0), "reading from"),
        (lambda: table.add(run_of()), "writing to"),
    ):
        with pytest.raises(Unavailable) as caught:
            call()
        assert str(caught.value) == f"{text} {RUNS}: {DOWN}"


def test_a_write_that_took_effect_twice_is_one(table: RunsTable, asked: Asked) -> None:
    """The client sent it again; its condition fails for what it wrote. Also a run's."""
    segment, _ = table.add(run_of())
    run = table.run("r")
    assert run is not None
    rows: list[Any] = [replace(segment, hop=7), replace(run, status="paused")]
    for row in rows:

        def twice(name: str, row: Any = row) -> None:
            if name == "put_item":
                asked.before = lambda _name: None
                table.save(row)

        asked.before = twice
        assert table.save(row) is not None
    found = table.segment("r", 0)
    assert found is not None
    assert (found.hop, found.revision) == (7, 2)
