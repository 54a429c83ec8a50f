"""Comparing links, contributions and counters, and mending what differs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync import models
from sync.aws.items import Items
from sync.aws.keys import Source
from sync.commands.parts.links import Links, Page, Recount, all_links
from sync.errors import ConfigError, Misconfigured, Unavailable
from sync.model.change import Change
from sync.model.model import Model, Route
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.models.core.faa_link import IcaoType
from sync.recovery.by_hand import ByHand
from sync.recovery.parking import Parked
from sync.recovery.resync import Resync
from sync.runtime.deadline import Deadline
from sync.sinks.counters import Counters
from sync.sinks.counters.recount import CounterDrift
from sync.writing.fanout import Fanout
from sync.writing.op import Op
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import (
    FAMILY,
    Fault,
    Tables,
    counted,
    in_process,
    no_fault,
    patient,
    says,
    write,
)
from tests.doubles.kept import KeptParking
from tests.doubles.wiring import registry as registry_of
from tests.records import CORE, core_keys
from tests.settings import TABLES

PARTITION = "FAA#LINKS"


class Link(Model):
    type_designator: str | None = None
    manufacturer: str | None = None
    model: str | None = None

    @classmethod
    def plan(cls, change: Change["Link"]) -> Iterator[Op]:
        new = change.new
        parts = [new.type_designator, new.manufacturer, new.model] if new else []
        if new and all(parts):
            yield change.put(Counters, FAMILY, IcaoType(*map(str, parts)).body())
        else:
            yield change.delete(Counters, FAMILY)


class Notes:
    """A journal of calls that never die."""

    def begin(self, keys: Sequence[Parked], sink: str | None) -> str:
        return "note"

    def end(self, id_: str) -> None:
        assert id_ == "note"


class World:
    """Links in a table, what a stream would have made of them, and a recount."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.version = 0
        Link.route = Route(
            tables.core, {"PK": PARTITION, "SK": r"MFR_MDL_CODE#.+#SN#.+"}, {Counters: FAMILY}
        )

    def put(self, n: int, what: IcaoType | None, *, streamed: bool = True) -> None:
        if what is None:
            self.tables.delete(self.keys(n))
        else:
            self.tables.put(self.keys(n), **what.parts)
        if streamed:
            self.version += 1
            source = Source(self.tables.core, self.keys(n))
            op = replace(says(n, what, self.version), source=source)
            write(self.tables.counters()[0], [op])

    def hold(self, what: IcaoType, count: int | None) -> None:
        """A hand from outside."""
        key = core_keys("ICAO#MATCHER", what.sort_key)
        self.tables.delete(key)
        if count is not None:
            item = {n: {"S": v} for n, v in what.parts.items()}
            item["count"] = {"N": str(count)}
            self.tables.client.put_item(TableName=self.tables.core, Item={**key, **item})

    def recount(self, fault: Fault = no_fault) -> Recount:
        sink, client = self.tables.counters(fault)
        clock = ManualClock()
        registry = registry_of(Link)
        fanout = Fanout({Counters.name: sink}, clock)
        resync = Resync(Planner(registry), fanout, Items(client), clock)
        (links,) = all_links(registry)
        by_hand = ByHand(resync, KeptParking(), Notes())
        return Recount(links, sink, registry, by_hand, client)

    def run(self, *, repair: bool, limit: int = 1_000, fault: Fault = no_fault) -> list[Page]:
        pages: list[Page] = []
        cursor: str | None = None
        while True:
            page = self.recount(fault).page(cursor, repair=repair, limit=limit, deadline=patient())
            pages.append(page)
            cursor = page.cursor
            if cursor is None:
                return pages

    @staticmethod
    def keys(n: int) -> Any:
        return core_keys(PARTITION, f"MFR_MDL_CODE#05609{n}#SN#{n}")


@pytest.fixture
def world() -> Iterator[World]:
    with in_process() as tables:
        yield World(tables)


def links(pages: list[Page]) -> list[tuple[str, str | None, str | None, bool]]:
    """Of each link that differs: its sort key, what it says, what is counted, whether mended."""
    return [
        (each.source.keys["SK"]["S"], each.said, each.counted, each.mended)
        for page in pages
        for each in page.links
    ]


def counters(pages: list[Page]) -> list[CounterDrift]:
    return [each for page in pages for each in page.counters]


def test_what_is_in_order_is_left_alone(world: World) -> None:
    """No drift, nothing written, however small the pages."""
    for n in range(5):
        world.put(n, counted(n % 2))
    world.put(3, None)
    before = world.tables.rows(world.tables.core), world.tables.rows(world.tables.contributions)
    for limit in (1, 2, 1_000):
        pages = world.run(repair=True, limit=limit)
        assert links(pages) == [] == counters(pages)
        assert sum(page.checked for page in pages) == 4 + 4  # links, and contributions
    after = world.tables.rows(world.tables.core), world.tables.rows(world.tables.contributions)
    assert after == before


def test_links_that_were_missed_are_told_and_mended(world: World) -> None:
    """One never counted, one counted elsewhere, one counted though it is gone."""
    for n in range(4):
        world.put(n, counted(1))
    world.put(1, counted(2), streamed=False)
    world.put(2, None, streamed=False)
    world.put(9, counted(3), streamed=False)
    one, two, three = (counted(n).sort_key for n in (1, 2, 3))
    keys = {n: world.keys(n)["SK"]["S"] for n in (1, 2, 9)}
    assert sorted({*links(world.run(repair=False))}, key=str) == [
        (keys[1], two, one, False),
        (keys[2], None, one, False),
        (keys[9], three, None, False),
    ]
    assert world.tables.held() == {counted(1): 4}
    assert {found[3] for found in links(world.run(repair=True))} == {True}
    assert world.tables.held() == {counted(1): 2, counted(2): 1, counted(3): 1}
    assert links(world.run(repair=False)) == []


@pytest.mark.parametrize("held", [None, -1, 0, 1, 7])
def test_counters_that_differ_are_told_and_mended(world: World, held: int | None) -> None:
    """Whatever they hold, and where there is none."""
    for n in range(3):
        world.put(n, counted(1))
    world.hold(counted(1), held)
    told = CounterDrift(counted(1).sort_key, 3, held or 0)
    assert counters(world.run(repair=False)) == [told]
    assert [each.mended for each in counters(world.run(repair=True))] == [True]
    assert world.tables.held() == {counted(1): 3}
    assert counters(world.run(repair=True)) == []


@pytest.mark.parametrize("held", [-1, 0, 2])
def test_a_counter_of_nothing_is_removed(world: World, held: int) -> None:
    """Also one of zero."""
    world.hold(counted(1), held)
    assert [each.mended for each in counters(world.run(repair=True))] == [True]
    assert world.tables.held() == {}


@pytest.mark.parametrize("moment", range(5))
def test_a_counter_that_is_written_meanwhile_is_not_spoilt(world: World, moment: int) -> None:
    """Whichever reading the stream comes between: what is right stays right."""
    for n in range(3):
        world.put(n, counted(1))
    world.hold(counted(2), 5)  # so that there is a second reading
    reads = iter(range(100))

    def meanwhile(name: str, call: Any) -> Any:
        if name in ("scan", "query", "transact_write_items") and next(reads) == moment:
            world.put(1, counted(3))
            world.put(8, counted(1))
            world.put(9, counted(1))
        return call()

    recount = world.recount(meanwhile)
    place = json.dumps({"stage": "counters", "start": None})
    recount.page(place, repair=True, limit=1, deadline=patient())
    assert next(reads) > moment
    assert world.tables.held() == world.tables.contributing() == {counted(1): 4, counted(3): 1}


def test_links_that_take_turns_are_not_taken_for_drift(world: World) -> None:
    """In both readings two contributions are found and one is counted, for each time one of them
    has just left: but they are not the same two."""
    world.put(1, counted(1))
    world.put(2, counted(1))
    reads = iter(range(100))

    def turns(name: str, call: Any) -> Any:
        moment = next(reads) if name in ("scan", "query") else None
        if moment == 1:  # the contributions are read, the counters not yet
            world.put(1, None)
        elif moment == 2:
            world.put(3, counted(1))
        elif moment == 3:
            world.put(2, None)
        return call()

    place = json.dumps({"stage": "counters", "start": None})
    page = world.recount(turns).page(place, repair=True, limit=1, deadline=patient())
    assert next(reads) == 4  # there were two readings
    assert page.counters == []
    assert world.tables.held() == {counted(1): 1}


def test_a_counter_is_only_mended_as_it_was_seen(world: World) -> None:
    """A link that comes at the last moment is not lost: it is told as not mended."""
    world.put(1, counted(1))
    world.hold(counted(1), 5)

    def at_last(name: str, call: Any) -> Any:
        if name == "transact_write_items":
            world.put(2, counted(1))
        return call()

    pages = world.run(repair=True, fault=at_last)
    assert [each.mended for each in counters(pages)] == [False]
    assert world.tables.held() == {counted(1): 6}
    assert [each.mended for each in counters(world.run(repair=True))] == [True]
    assert world.tables.held() == {counted(1): 2}


def test_a_link_that_is_counted_between_two_readings_is_no_drift(world: World) -> None:
    """Its record was on its way."""
    world.put(1, counted(1), streamed=False)
    reads = iter(range(100))

    def on_its_way(name: str, call: Any) -> Any:
        answer = call()
        if name == "batch_get_item" and next(reads) == 1:
            world.put(1, counted(1))
        return answer

    assert links(world.run(repair=True, fault=on_its_way)) == []


def test_a_link_that_can_not_be_read_is_told(world: World) -> None:
    """With the reason; the others are checked."""
    world.put(1, counted(1))
    item = {**world.keys(2), "model": {"N": "5"}}
    world.tables.client.put_item(TableName=world.tables.core, Item=item)
    world.put(3, counted(1), streamed=False)
    found = [each for page in world.run(repair=True) for each in page.links]
    assert [each.mended for each in found] == [False, True]
    assert "model" in str(found[0].error)
    assert world.tables.held() == {counted(1): 2}


def test_a_contribution_that_no_model_asks_for_is_told(world: World) -> None:
    """As of a link whose key no longer fits."""
    op = replace(says(1, counted(1), 1), source=Source(world.tables.core, core_keys("A", "B")))
    write(world.tables.counters()[0], [op])
    (found,) = [each for page in world.run(repair=True) for each in page.links]
    assert "no model" in str(found.error)


def test_counters_are_told_in_pages(world: World) -> None:
    """However many there are; one that is not mended is passed by."""
    for n in range(5):
        world.put(n, counted(n))
        world.hold(counted(n), 9)
    pages = world.run(repair=False, limit=2)
    assert [each.counter for each in counters(pages)] == [counted(n).sort_key for n in range(5)]
    assert [len(page.counters) for page in pages if page.counters] == [2, 2, 1]

    def contended(name: str, call: Any) -> Any:
        if name == "transact_write_items":
            world.hold(counted(0), 8)
        return call()

    pages = world.run(repair=True, limit=1, fault=contended)
    assert [each.mended for each in counters(pages)] == [False, True, True, True, True]
    assert world.tables.held() == {counted(0): 8, **{counted(n): 1 for n in range(1, 5)}}


def test_counters_are_mended_while_there_is_time(world: World) -> None:
    """What is left waits for the next call; each mends one at least."""
    for n in range(3):
        world.hold(counted(n), 9)
    clock = ManualClock()

    def slow(name: str, call: Any) -> Any:
        if name == "transact_write_items":
            clock.now += 55
        return call()

    cursor: str | None = '{"stage":"counters","start":null}'
    mended = []
    while cursor:
        deadline = Deadline(60, clock=clock.monotonic, sleep=clock.sleep)
        page = world.recount(slow).page(cursor, repair=True, limit=100, deadline=deadline)
        mended.append([each.mended for each in page.counters])
        cursor = page.cursor
    assert mended == [[True], [True], [True]]
    assert world.tables.held() == {}


def test_every_model_that_feeds_counters_is_a_family() -> None:
    """It says itself where its links are; nothing else has to be told of it."""
    assert list(all_links(Registry(models.load(), TABLES))) == [
        Links("icao_entity_matcher", CORE, "PK", "FAA#LINKS")
    ]


def test_links_in_many_partitions_are_no_family(world: World) -> None:
    """They could not be found by a query: that is said, not skipped."""
    assert Link.route is not None
    Link.route = replace(Link.route, keys={"PK": r"FAA#.+", "SK": r".+"})
    with pytest.raises(ConfigError, match="Link has no one partition"):
        list(all_links(registry_of(Link)))


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "[]", '{"stage":"links"}', '{"stage":"x","start":null}'),
        *('{"stage":"links","start":1}', '{"stage":"counters","start":{}}'),
    ],
)
def test_a_cursor_of_something_else_is_refused(world: World, cursor: str) -> None:
    """It is named."""
    with pytest.raises(ConfigError, match="cursor"):
        world.recount().page(cursor, repair=False, limit=1, deadline=patient())


def test_a_table_that_can_not_be_read_is_raised(world: World) -> None:
    """Nothing is taken for absent."""
    world.tables.client.delete_table(TableName=world.tables.contributions)
    with pytest.raises(Misconfigured, match="contributions"):
        world.recount().page(
            '{"stage":"counters","start":null}', repair=True, limit=1, deadline=patient()
        )


def test_counters_need_all_of_the_time(world: World) -> None:
    """Half of the contributions prove nothing."""
    with pytest.raises(Unavailable, match="not read to its end"):
        world.recount().page(
            '{"stage":"counters","start":null}', repair=True, limit=1, deadline=Deadline(0)
        )


def test_a_page_ends_before_its_time_does(world: World) -> None:
    """The cursor says where to go on."""
    for n in range(3):
        world.put(n, counted(1))
    page = world.recount().page(None, repair=False, limit=2, deadline=Deadline(1))
    assert page.checked == 2
    assert page.cursor
    assert json.loads(page.cursor)["stage"] == "links"
