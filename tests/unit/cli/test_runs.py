"""`python -m sync backfill …`: what people see of runs."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sync.cli import front
from sync.cli.main import main
from sync.errors import Unavailable
from tests.doubles.account import Account
from tests.doubles.sinks import Answering
from tests.records import PRODUCTS
from tests.unit.runs.harness import Line

Sync = Callable[..., tuple[int, str]]


@pytest.fixture
def line(account: Account) -> Line:
    return Line(account)


@pytest.fixture
def sync(line: Line, capsys: pytest.CaptureFixture[str]) -> Sync:
    """Runs the command line on the account; gives exit code and standard output."""

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()

        def carry_out(payload: Mapping[str, Any]) -> dict[str, Any]:
            return line.account.call(**payload)

        code = front.call(lambda: main(("backfill", *arguments), carry_out))
        return code, capsys.readouterr().out

    return run


def begun(sync: Sync, *more: str) -> str:
    """Starts a backfill; gives its id."""
    code, out = sync("start", "--table", PRODUCTS, "--json", *more)
    assert code == 0
    id_: str = json.loads(out)["id"]
    return id_


def test_a_start_says_how_to_watch(line: Line, sync: Sync) -> None:
    """And how much there is to do."""
    line.put("a", "b")
    code, out = sync("start", "--table", PRODUCTS, "--sink", "opensearch", "--dry-run")
    about = f"{PRODUCTS} in 1 segments, about 2 items, about 2 read units"
    assert (code, out) == (0, f"would be backfilled: {about}\n")
    code, out = sync("start", "--table", PRODUCTS, "--segments", "2")
    first, second = out.splitlines()
    assert first.endswith(f"has begun: {about.replace('1 seg', '2 seg')}")
    id_ = second.rpartition(" ")[2]
    assert second == f"python -m sync backfill watch {id_}"
    assert sync("start", "--table", PRODUCTS)[0] == 2
    code, out = sync("start", "--table", PRODUCTS, "--also")
    assert out.startswith(f"other backfills of this table are not over: {id_}\n")


def test_backfills_are_listed(line: Line, sync: Sync) -> None:
    """One a row, with what it has done."""
    assert sync("list") == (0, "no backfills\n")
    line.put("a", "b")
    id_ = begun(sync)
    line.rest()
    code, out = sync("list")
    assert code == 0
    heads, row = (each.split() for each in out.splitlines())
    assert heads[:3] == ["id", "table", "status"]
    assert row[:8] == [id_, PRODUCTS, "done", "2", "2", "2", "0", "0"]
    assert json.loads(sync("list", "--json")[1])["runs"][0]["id"] == id_


def test_one_is_shown_with_its_segments(line: Line, sync: Sync) -> None:
    """And with what it waits for."""
    line.put("a", "b")
    line.account.memory = sink = Answering(lambda _op: Unavailable("503"))
    line.account.service = line.account.fresh()
    id_ = begun(sync, "--segments", "1")
    line.step()
    code, out = sync("show", id_)
    assert code == 0
    lines = out.splitlines()
    assert lines[:3] == [
        f"{PRODUCTS}: running",
        "waits: Unavailable: 503",
        "0 of about 2 items read, with 1 read units",
    ]
    assert lines[-1].split()[:4] == ["0", "waiting", "0", "1"]
    sink.answer = lambda _op: None
    line.rest()
    code, out = sync("show", id_)
    assert out.startswith(f"{PRODUCTS}: done\n2 of about 2 items read, with ")
    assert "\n2 written\n" in out
    assert json.loads(sync("show", id_, "--json")[1])["run"]["status"] == "done"


def test_watching_lasts_until_it_is_over(
    line: Line, sync: Sync, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Done is 0; anything else 1."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        line.step()

    monkeypatch.setattr("sync.cli.runs.time.sleep", sleep)
    line.put("a", "b")
    id_ = begun(sync, "--segments", "2")
    code, out = sync("watch", id_)
    assert (code, slept) == (0, [2.0, 2.0])
    assert out.startswith(f"{PRODUCTS}: done\n")
    code, out = sync("watch", id_, "--json")
    assert (code, json.loads(out)["run"]["status"]) == (0, "done")


@pytest.mark.parametrize(("turn", "status"), [("pause", "paused"), ("cancel", "cancelled")])
def test_watching_ends_when_nothing_more_is_done(
    line: Line, sync: Sync, turn: str, status: str
) -> None:
    """A paused one may go on tomorrow."""
    line.put("a")
    id_ = begun(sync)
    code, out = sync(turn, id_, "--json")
    assert (code, json.loads(out)["status"]) == (0, status)
    code, out = sync("watch", id_)
    assert code == 1
    assert out.startswith(f"{PRODUCTS}: {status}\n")


def test_one_that_is_resumed_is_running(line: Line, sync: Sync) -> None:
    """Plainly told."""
    id_ = begun(sync)
    sync("pause", id_)
    code, out = sync("resume", id_)
    assert (code, out.split()) == (0, ["id", id_, "table", PRODUCTS, "status", "running"])
