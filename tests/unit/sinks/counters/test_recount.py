"""Counters compared with the contributions to them, while others write."""

from collections.abc import Callable
from typing import Any

import pytest

from sync.aws.clients import CALL_S
from sync.errors import Misconfigured, Unavailable
from sync.runtime.deadline import Deadline
from sync.sinks.counters.recount import CounterDrift, Tallies
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import FAMILY, Tables, Watched, counted, link, says, write

KEYS = [counted(n).sort_key for n in range(6)]


class Recount:
    """The counters of one family, and a table of which some are wrong."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.watched = Watched(tables.client)
        self.clock = ManualClock()
        self.tallies = Tallies(
            self.watched, FAMILY, contributions=tables.contributions, counters=tables.core
        )
        write(tables.counters()[0], [says(n, counted(n % 4), 1) for n in range(8)])

    def hold(self, n: int, count: str | None) -> None:
        """Let the counter *n* hold something else."""
        key = {"PK": {"S": "ICAO#MATCHER"}, "SK": {"S": KEYS[n]}}
        if count is None:
            self.tables.delete(key)
            return
        item = {**key, **{name: {"S": part} for name, part in counted(n).parts.items()}}
        self.tables.client.put_item(
            TableName=self.tables.core, Item={**item, "count": {"N": count}}
        )

    def check(
        self,
        after: str | None = None,
        *,
        repair: bool = False,
        limit: int = 10,
        seconds: float = 60.0,
    ) -> tuple[list[CounterDrift], str | None]:
        deadline = Deadline(seconds, clock=self.clock.monotonic, sleep=self.clock.sleep)
        return self.tallies.check(after, repair=repair, limit=limit, deadline=deadline)

    def before(self, number: int, change: Callable[[], object]) -> None:
        """Let *change* happen before that call."""

        def fault(_name: str, call: Callable[[], Any]) -> Any:
            if sum(self.watched.calls.values()) == number:
                change()
            return call()

        self.watched.fault = fault


@pytest.fixture
def recount(tables: Tables) -> Recount:
    return Recount(tables)


def test_counters_that_are_right_are_read_once(recount: Recount) -> None:
    """Contributions of another family, tombstones and other rows are not taken for theirs."""
    write(recount.tables.counters()[0], [says(9, counted(5), 1)])
    write(recount.tables.counters()[0], [says(9, None, 2)])
    row = {"counter": {"S": KEYS[0]}, "version": {"N": "1"}}
    for id_ in ("other_family#x", f"{FAMILY}x#x"):
        recount.tables.client.put_item(
            TableName=recount.tables.contributions, Item={**row, "id": {"S": id_}}
        )
    for sort_key in ("TYPES", "TYPEX#1"):
        recount.tables.put({"PK": {"S": "ICAO#MATCHER"}, "SK": {"S": sort_key}})
    assert recount.check(repair=True) == ([], None)
    assert recount.watched.calls == {"scan": 1, "query": 1}


@pytest.mark.parametrize("repair", [False, True])
def test_what_differs_is_told_and_repaired_if_asked(recount: Recount, repair: bool) -> None:
    """Too much, too little, none where there should be one, one where there should be none."""
    for n, count in ((0, "5"), (1, "1"), (2, None), (5, "3"), (4, "0")):
        recount.hold(n, count)
    assert recount.check(repair=repair) == (
        [
            CounterDrift(KEYS[0], 2, 5, repair),
            CounterDrift(KEYS[1], 2, 1, repair),
            CounterDrift(KEYS[2], 2, 0, repair),
            CounterDrift(KEYS[4], 0, 0, repair),
            CounterDrift(KEYS[5], 0, 3, repair),
        ],
        None,
    )
    if repair:
        assert recount.tables.held() == recount.tables.contributing()
        assert recount.check() == ([], None)


def test_what_differs_is_told_page_by_page(recount: Recount) -> None:
    """In the order of the keys; the last page has no cursor."""
    for n in range(3):
        recount.hold(n, "7")
    first, cursor = recount.check(limit=2)
    assert ([drift.counter for drift in first], cursor) == (KEYS[:2], KEYS[1])
    second, cursor = recount.check(cursor, limit=2)
    assert ([drift.counter for drift in second], cursor) == ([KEYS[2]], None)
    assert recount.check(KEYS[2], limit=2) == ([], None)


@pytest.mark.parametrize(("left_s", "told"), [(CALL_S, 3), (CALL_S - 0.1, 1)])
def test_a_page_ends_when_no_call_can(recount: Recount, left_s: float, told: int) -> None:
    """At least one is repaired, or a cursor would lead nowhere."""
    for n in range(3):
        recount.hold(n, "7")
    found, cursor = recount.check(repair=True, seconds=left_s)
    assert [drift.counter for drift in found] == KEYS[:told]
    assert cursor == (None if told == 3 else KEYS[0])


@pytest.mark.parametrize("call", [3, 4])
def test_a_counter_that_changes_meanwhile_may_be_right(recount: Recount, call: int) -> None:
    """Only what two readings show is told: others are."""
    recount.hold(0, "7")
    recount.hold(1, "7")
    recount.before(call, lambda: recount.hold(0, "8"))
    found, _ = recount.check()
    assert [drift.counter for drift in found] == [KEYS[1]]


def test_a_contribution_of_a_newer_version_may_have_moved_twice(recount: Recount) -> None:
    """The number is the same, and the counter may have been changed with it."""
    recount.hold(0, "7")
    recount.before(3, lambda: write(recount.tables.counters()[0], [says(0, counted(0), 2)]))
    assert recount.check() == ([], None)


def test_a_counter_that_changes_before_its_repair_is_left_alone(recount: Recount) -> None:
    """And told as one that was not repaired."""
    recount.hold(0, "7")
    recount.before(5, lambda: recount.hold(0, "8"))
    assert recount.check(repair=True) == ([CounterDrift(KEYS[0], 2, 7, False)], None)
    assert recount.tables.held()[counted(0)] == 8


def test_a_repair_that_fails_names_its_counter(recount: Recount) -> None:
    """Such as without the leave to write."""
    recount.hold(0, "7")
    recount.before(5, lambda: recount.tables.client.delete_table(TableName=recount.tables.core))
    with pytest.raises(Misconfigured, match=f"^repairing the counter {KEYS[0]}: "):
        recount.check(repair=True)


def test_a_row_that_is_no_counter_is_told(recount: Recount) -> None:
    """By its key; nothing is written over it."""
    key = {"PK": {"S": "ICAO#MATCHER"}, "SK": {"S": KEYS[0]}}
    recount.tables.put(key, count="many")
    with pytest.raises(Misconfigured) as caught:
        recount.check(repair=True)
    assert str(caught.value) == (
        f"not a counter, since it has no whole count: [{key['PK']}, {key['SK']}]"
    )


def test_without_time_nothing_is_told(recount: Recount) -> None:
    """Half of the contributions would be too few."""
    with pytest.raises(Unavailable, match="not read to its end in the time given"):
        recount.check(seconds=0)


def test_contributing_items_are_told_page_by_page(recount: Recount) -> None:
    """A page may be short, since DynamoDB filters after it has read; each item is told once."""
    write(recount.tables.counters()[0], [says(9, counted(5), 1)])
    write(recount.tables.counters()[0], [says(9, None, 2)])
    found, start, pages = [], None, 0
    while True:
        sources, start = recount.tallies.contributors(start, 4)
        assert len(sources) <= 4
        found += sources
        pages += 1
        if start is None:
            break
    assert sorted(found, key=str) == sorted((link(n) for n in range(8)), key=str)
    assert pages >= 3
