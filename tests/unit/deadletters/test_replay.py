"""Rows and their replays: which keys are resynced, and what a row says afterwards."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.aws.items import Found
from sync.aws.keys import Source
from sync.deadletters.replay import Replay, Replayed
from sync.deadletters.row import Row
from sync.deadletters.table import DeadLetterTable
from sync.errors import RecordError, Refused, Unavailable
from sync.model.registry import Registry
from sync.models.product import Product
from sync.recovery.by_hand import ByHand
from sync.recovery.parking import Parked
from sync.recovery.resync import Settled, Unmatched, Verdict
from sync.recovery.state import state_of
from sync.runtime.deadline import Deadline
from sync.writing.op import Done
from tests.doubles.kept import KeptItems
from tests.records import PRODUCTS
from tests.settings import TABLES

AT = "2026-11-21T08:00:00.000Z"
ITEM = {"productId": {"S": "p"}, "name": {"S": "Kettle"}}
VERSION = 9


def row(n: int = 1, **fields: Any) -> Row:
    found = Row(
        f"r{n}",
        "quarantined",
        AT,
        AT,
        table=PRODUCTS,
        keys={"productId": {"S": f"p{n}"}},
        sink="opensearch",
        after=n,
    )
    return replace(found, **fields)


def source(n: int = 1) -> Source:
    return Source(PRODUCTS, {"productId": {"S": f"p{n}"}})


class KeptTable(DeadLetterTable):
    """Keeps what is stored of replays; *is_open*: whether the rows still are."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.stored: list[tuple[Any, ...]] = []

    def resolve(
        self, row: Row, status: str, reason: str, *, wrote: int = 0, item: Any = None
    ) -> bool:
        self.stored.append((row.id, status, reason, wrote, item))
        return self.is_open

    def failed(self, row: Row, error: Exception, *, state: str | None) -> bool:
        self.stored.append((row.id, error, state))
        return self.is_open


class Told(ByHand):
    """Resyncs nothing: each key ends with *verdict*, its item being *found*."""

    def __init__(self, verdict: Verdict, found: Found) -> None:
        self.verdict = verdict
        self.found = found
        self.asked: list[tuple[list[Parked], str | None, bool]] = []

    def run(
        self,
        keys: Sequence[Parked],
        deadline: Deadline,
        *,
        only: str | None = None,
        park_untried: bool = True,
    ) -> list[Settled]:
        assert deadline.remaining() > 0
        self.asked.append((list(keys), only, park_untried))
        return [Settled(key, self.verdict, self.found, version=VERSION) for key in keys]


class Items(KeptItems):
    """Reads what can be read, in time."""

    def read(self, sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        assert deadline.remaining() > 0
        assert {source.table for source in sources} <= {PRODUCTS}
        return super().read(sources, deadline)


class Replaying:
    """A replay whose resyncs all end the same way."""

    def __init__(
        self, verdict: Verdict = Done.WRITTEN, found: Found = ITEM, *, is_open: bool = True
    ) -> None:
        self.table = KeptTable(is_open=is_open)
        self.resync = Told(verdict, found)
        self.items = Items()
        self.replay = Replay(
            Registry([Product], TABLES), self.resync, self.items, self.table, queued={"typesense"}
        )

    def run(self, *rows: Row) -> list[Replayed]:
        return list(self.replay.run(rows, Deadline(60)))


def test_rows_are_resynced_sink_by_sink_a_hundred_at_once() -> None:
    """Above the versions that they wait for. Keys that were not tried need no parking: their rows
    stay open."""
    replaying = Replaying()
    mixed = [row(n, sink=None if n % 3 == 0 else "opensearch") for n in range(1, 200)]
    assert len(replaying.run(*mixed)) == 199
    first, second, every = replaying.resync.asked
    some = [n for n in range(1, 200) if n % 3]
    assert first == ([Parked(source(n), n) for n in some[:100]], "opensearch", False)
    assert second == ([Parked(source(n), n) for n in some[100:]], "opensearch", False)
    assert every == ([Parked(source(n), n) for n in range(3, 200, 3)], None, False)


@pytest.mark.parametrize(
    ("sink", "verdict", "found", "why"),
    [
        ("opensearch", Done.WRITTEN, ITEM, "written as the table has it, and verified"),
        (None, Done.WRITTEN, ITEM, "written as the table has it, and verified"),
        ("opensearch", Done.WRITTEN, None, "the item is gone; so is its document now"),
        (
            "typesense",
            Done.WRITTEN,
            ITEM,
            "sent anew, as the table has it; what typesense refuses becomes a dead letter",
        ),
        (
            "typesense",
            Done.WRITTEN,
            None,
            "sent anew, as the table has it; what typesense refuses becomes a dead letter",
        ),
        (
            "opensearch",
            Unmatched(),
            ITEM,
            "no model wants this key, or feeds opensearch from it, any more: nothing was written",
        ),
        (
            None,
            Unmatched(),
            None,
            "no model wants this key, or feeds anything from it, any more: nothing was written",
        ),
    ],
)
def test_a_row_that_is_resolved_says_how(
    sink: str | None, verdict: Verdict, found: Found, why: str
) -> None:
    """With the version that was written, and the item as it was read."""
    replaying = Replaying(verdict, found)
    one = row(sink=sink)
    (replayed,) = replaying.run(one)
    assert replayed == Replayed(one, "replayed", why)
    assert replayed.plain() == {"id": "r1", "result": "replayed", "why": why}
    assert replaying.table.stored == [("r1", "replayed", why, VERSION, found)]


def test_an_item_that_could_not_be_read_again_is_none() -> None:
    """What was written is known all the same."""
    replaying = Replaying(Done.WRITTEN, Unavailable("throttled"))
    replaying.run(row())
    ((*_, item),) = replaying.table.stored
    assert item is None


@pytest.mark.parametrize(
    ("verdict", "found", "state"),
    [
        (Refused("no"), ITEM, state_of(ITEM)),
        (RecordError("bad"), None, "gone"),
        (Unavailable("down"), ITEM, None),
        (Refused("no"), Unavailable("throttled"), None),
    ],
)
def test_a_row_that_fails_again_stays_open_with_its_error(
    verdict: Any, found: Found, state: str | None
) -> None:
    """And, where only a change of the item helps, with the item's state."""
    replaying = Replaying(verdict, found)
    one = row()
    assert replaying.run(one) == [Replayed(one, "failed", f"{type(verdict).__name__}: {verdict}")]
    assert replaying.table.stored == [("r1", verdict, state)]


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        (Done.WRITTEN, "resolved, or failed again, in the meantime"),
        (Refused("no"), "resolved in the meantime"),
    ],
)
def test_a_row_that_is_no_longer_open_says_so(verdict: Verdict, why: str) -> None:
    """Somebody else was there first."""
    replaying = Replaying(verdict, is_open=False)
    one = row()
    assert replaying.run(one) == [Replayed(one, "not open", why)]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"kind": "lost-range", "keys": None},
            f"run python -m sync resync --table {PRODUCTS}, then discard it",
        ),
        (
            {"kind": "unknown", "keys": None, "table": None, "sink": "typesense"},
            "resync the tables of its sink with --sink typesense, then discard it",
        ),
        (
            {"kind": "unknown", "keys": None, "table": None, "sink": None},
            "a row of kind unknown without keys can only be discarded",
        ),
        (
            {"kind": "quarantined", "table": None, "sink": None},
            "a row of kind quarantined without keys can only be discarded",
        ),
    ],
)
def test_a_row_without_keys_says_what_to_do(fields: dict[str, Any], why: str) -> None:
    """There is nothing to resync; the others are replayed."""
    replaying = Replaying()
    nothing = row(1, **fields)
    first, second = replaying.run(nothing, row(2))
    assert first == Replayed(nothing, "no keys", why)
    assert second.result == "replayed"
    assert [stored[0] for stored in replaying.table.stored] == ["r2"]


def test_a_key_that_does_not_fit_its_table_fails_by_itself() -> None:
    """It would fail every key that is read with it."""
    replaying = Replaying()
    odd = row(1, keys={"PK": {"S": "x"}})
    first, second = replaying.run(odd, row(2))
    assert (first.row, first.result) == (odd, "failed")
    assert first.why.startswith("RecordError: ")
    assert second.result == "replayed"
    (keys, *_) = replaying.resync.asked
    assert keys[0] == [Parked(source(2), 2)]


def test_rows_whose_items_changed_are_found() -> None:
    """Or may have: of some the state is unknown. What can't be read, or has no key, is not."""
    replaying = Replaying()
    items: list[Found] = [ITEM, ITEM, ITEM, None, None, Unavailable("throttled")]
    replaying.items.items = {source(n): item for n, item in enumerate(items)}
    rows = [
        row(0, state=state_of(ITEM)),
        row(1, state="older"),
        row(2, state=None),
        row(3, state="gone"),
        row(4, state="older"),
        row(5, state="older"),
        row(6, keys=None),
        row(7, keys={"PK": {"S": "x"}}),
        row(8, table=None),
    ]
    changed = replaying.replay.changed(rows, Deadline(60))
    assert [each.id for each in changed] == ["r1", "r2", "r4"]
