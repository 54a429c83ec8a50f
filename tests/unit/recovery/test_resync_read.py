"""Resyncing items that the caller has read, as a page of a scan is."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sync.aws.items import Found
from sync.aws.keys import Source
from sync.errors import InvalidImage, NotTried, Refused, Throttled, Unanswered
from sync.recovery.resync import Settled, Unmatched
from sync.writing.op import Done
from tests.records import CORE, core_keys
from tests.unit.recovery.resyncing import AnsweringInTurn, World, key

Items = Mapping[Source, Any]


def read(
    world: World, again: Callable[[Items], Mapping[Source, Found]] = dict, sinks: Any = None
) -> list[Settled]:
    """Resync all items; *again* makes the second reading of the first."""
    items = dict(world.table.items)
    version = world.clock.time_ns()
    asked = world.resync.plan(items, version, sinks)
    tried = world.resync.write(asked, lambda: again(items), world.deadline)
    return list(world.resync.verify(tried, world.deadline, sinks))


def test_items_are_written_without_another_reading_by_key() -> None:
    """The caller has read them, and reads them again."""
    world = World()
    world.table.put(1, "one")
    world.table.after_read = lambda: pytest.fail("read")
    (settled,) = read(world)
    assert (settled.verdict, settled.version) == (Done.WRITTEN, world.clock.time_ns())
    assert world.held(world.memory) == world.held(world.plain) == "one"


@pytest.mark.parametrize("now", ["two", None])
def test_what_changed_or_vanished_meanwhile_is_resynced_by_its_key(now: str | None) -> None:
    """The page may have been written over what the stream had written since."""
    world = World()
    world.table.put(1, "one")
    world.table.put(2, "same")

    def again(_items: Items) -> Items:
        world.table.put(1, now)
        return {source: item for source, item in world.table.items.items() if item is not None}

    results = {settled.key.source: settled for settled in read(world, again)}
    assert [settled.verdict for settled in results.values()] == [Done.WRITTEN] * 2
    assert results[key(1).source].tried
    assert not results[key(2).source].tried
    assert world.held(world.memory) == world.held(world.plain) == now
    assert world.held(world.plain, 2) == "same"


def test_what_a_second_reading_leaves_out_is_read_by_its_key() -> None:
    """A page may end sooner the second time."""
    world = World()
    world.table.put(1, "one")
    (settled,) = read(world, lambda _items: {})
    assert settled.verdict is Done.WRITTEN
    assert world.held(world.memory) == "one"


def test_a_second_reading_that_fails_leaves_its_error() -> None:
    """Nothing is verified then, and all has to be resynced once more."""
    world = World()
    world.table.put(1, "one")
    error = Throttled("scan")

    def again(_items: Items) -> Items:
        raise error

    (settled,) = read(world, again)
    assert (settled.verdict, settled.tried) == (error, True)


def test_nothing_is_read_again_if_nothing_was_written() -> None:
    """Neither for what no model wants, nor for what is refused by its model, nor while breakers
    are open."""
    world = World(AnsweringInTurn(NotTried("open")))
    world.table.put(1, "one")
    for keys in (core_keys("OTHER", "1"), core_keys("THING", "2")):
        world.table.items[Source(CORE, keys)] = keys
    results = read(world, lambda _items: pytest.fail("read"), sinks=["memory"])
    kinds = {settled.key.source: type(settled.verdict) for settled in results}
    assert set(kinds.values()) == {NotTried, Unmatched, InvalidImage}


def test_only_the_chosen_sinks_are_written() -> None:
    """And those alone when an item changed."""
    world = World()
    world.table.put(1, "one")

    def again(_items: Items) -> Items:
        world.table.put(1, "two")
        return dict(world.table.items)

    assert [settled.verdict for settled in read(world, again, ["plain"])] == [Done.WRITTEN]
    assert (world.memory.documents, world.held(world.plain)) == ({}, "two")
    read(world, sinks=["memory", "plain"])
    assert world.held(world.memory) == "two"


def test_failures_are_told_as_those_of_any_resync() -> None:
    """With the version that the next one has to be above, and what the page said of the item."""
    world = World(AnsweringInTurn(Unanswered("no answer")))
    world.table.put(1, "one")
    (settled,) = read(world, sinks=["memory"])
    assert (type(settled.verdict), settled.tried) == (Unanswered, True)
    assert settled.key.after_version == world.clock.time_ns()
    world = World(AnsweringInTurn(Refused("no")))
    world.table.put(1, "one")
    (settled,) = read(world, sinks=["memory"])
    assert isinstance(settled.verdict, Refused)
    assert settled.found == world.table.items[key(1).source]
