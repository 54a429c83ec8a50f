"""Any history of writes, deaths, failures and duplicates leaves the sink where the table ended; and
bugs that are planted are caught by that."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from random import Random
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.errors import Throttled, Unavailable
from sync.runs import backfill, worker
from tests.doubles.account import Account
from tests.doubles.sinks import Answering
from tests.records import PRODUCTS, stream_record
from tests.unit.runs.harness import Crash, Line

DEATHS, FAILURES, WRITES = 0.02, 0.03, 0.15  # of calls
MISHAPS = 6  # of a history, of each kind


class Diverged(Exception):
    """The sink does not hold what the table holds, or the run has not ended."""


class History:
    """A table of up to *items* is backfilled, and written to meanwhile, as *chance* has it."""

    def __init__(self, account: Account, chance: Random, items: int) -> None:
        account.memory = Answering(self._answer, versioned=chance.random() < 0.5)
        account.at_once = self._in_any_order
        self.line = Line(account)
        self.chance = chance
        self.ids = [f"p{n}" for n in range(items)]
        self.left = dict.fromkeys(("die", "fail", "write", "sink"), MISHAPS)
        self.late: list[Any] = []  # records that the stream has not delivered yet

    def run(self) -> None:
        """Raises Diverged."""
        line, chance = self.line, self.chance
        line.put(*(id_ for id_ in self.ids if chance.random() < 0.8))
        line.before = line.after = self._befall
        with mock.patch("tests.simulation.dynamodb.PAGE_BYTES", chance.choice((60, 200, 10**6))):
            id_ = line.start(segments=chance.choice((1, 2, 3)))
            for _ in range(200):
                if chance.random() < 0.1 and line.messages:
                    line.deliver(chance.choice(line.messages))
                elif not line.step():
                    break
            self._deliver_late()
            line.clock.now += 1_000
            line.rest()
        if line.run(id_).status != "done" or line.sink() != line.table():
            raise Diverged(f"{line.run(id_).status}: {line.sink()}, not {line.table()}")

    def _take(self, what: str, share: float) -> bool:
        taken = bool(self.left[what]) and self.chance.random() < share
        self.left[what] -= taken
        return taken

    def _befall(self, _service: str, _method: str, _given: Any) -> None:
        if self._take("write", WRITES):
            self.line.working = False
            try:
                self._write()
            finally:
                self.line.working = True
        if self._take("die", DEATHS):
            raise Crash
        if self._take("fail", FAILURES):
            raise self.chance.choice((Throttled("rate"), Unavailable("no answer")))

    def _in_any_order(self, call: Any, names: Any, /) -> Any:
        """The next page may be read before this one is written, or when it has been."""
        names = list(names)
        return [(name, call(name)) for name in self.chance.sample(names, len(names))]

    def _answer(self, _op: Any) -> Any:
        return Unavailable("503") if self._take("sink", FAILURES) else None

    def _write(self) -> None:
        """An item changes, appears or vanishes; the stream says so now or later."""
        id_ = self.chance.choice(self.ids)
        key = {"productId": {"S": id_}}
        gone = self.chance.random() < 0.4
        name = f"name {self.chance.random()}"
        if gone:
            self.line.account.dynamodb.delete_item(TableName=PRODUCTS, Key=key)
        else:
            self.line.put(id_, name=name)
        new = None if gone else {"name": {"S": name}, "price": {"N": "5"}}
        at_s = int(self.line.clock.now)
        self.late.append(stream_record(key, new, table=PRODUCTS, created_s=at_s))
        if self.chance.random() < 0.5:
            self._deliver_late()

    def _deliver_late(self) -> None:
        """The stream delivers in order, in one batch."""
        if self.late:
            self.line.account.handle({"Records": self.late})
            self.late = []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), items=st.integers(1, 12))
def test_whatever_happens_the_sink_ends_where_the_table_ended(
    new_account: Callable[[], AbstractContextManager[Account]], seed: int, items: int
) -> None:
    """Versioned or not, with pages of any size."""
    with new_account() as account:
        History(account, Random(seed), items).run()


# ── Planted bugs ──────────────────────────────────────────────────────────────────────────────────


def a_cursor_that_skips() -> Any:
    """A page that is not completed is skipped."""
    advanced = worker._advanced

    def skip(segment: Any, page: Any) -> Any:
        return advanced(segment, replace(page, held=None))

    return mock.patch.object(worker, "_advanced", skip)


def no_second_reading() -> Any:
    """What a page said first is taken to be so still."""
    return mock.patch.object(backfill, "_second", lambda _run, page, _second: page.items)


def what_vanished_is_left() -> Any:
    """A second reading says nothing of items that are gone, which are taken to be as they were."""
    second = backfill._second

    def forget(run: Any, page: Any, scanned: Any) -> Any:
        return {**page.items, **second(run, page, scanned)}

    return mock.patch.object(backfill, "_second", forget)


def chains_end_with_their_worker() -> Any:
    """A message is done with, whatever became of it."""
    return mock.patch.object(worker, "failures_of", return_value={"batchItemFailures": []})


BUGS = (
    a_cursor_that_skips,
    no_second_reading,
    what_vanished_is_left,
    chains_end_with_their_worker,
)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught(
    new_account: Callable[[], AbstractContextManager[Account]], bug: Callable[[], Any]
) -> None:
    """By one of the first histories, which is right without it."""
    for seed in range(300):
        with new_account() as account, bug():
            try:
                History(account, Random(seed), 8).run()
            except (Diverged, AssertionError):
                break
    else:
        pytest.fail("not caught")
    with new_account() as account:
        History(account, Random(seed), 8).run()
