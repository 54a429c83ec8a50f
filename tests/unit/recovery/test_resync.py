"""Bringing sinks in line with the table, key by key."""

from collections.abc import Sequence
from typing import Any

import pytest

from sync.aws.items import Found
from sync.aws.keys import Source
from sync.errors import (
    InvalidImage,
    Misconfigured,
    NotTried,
    Refused,
    Retry,
    Unanswered,
    Unavailable,
)
from sync.recovery.parking import Parked
from sync.recovery.resync import Settled, Unmatched
from sync.runtime.deadline import Deadline
from sync.writing.op import Done
from sync.writing.versions import stream_version
from tests.records import CORE, core_keys
from tests.unit.recovery.resyncing import AnsweringInTurn, World, key


def test_every_sink_is_brought_in_line() -> None:
    """What is there is written, what is gone is deleted."""
    world = World()
    world.plain.documents["things", "THING|2"] = b'{"name":"old"}'
    world.table.put(1, "one")
    assert world.run(key(1), key(2)) == [Done.WRITTEN, Done.WRITTEN]
    assert world.held(world.memory, 1) == world.held(world.plain, 1) == "one"
    assert world.held(world.plain, 2) is None


def test_only_the_sink_that_missed_it_is_written() -> None:
    """The others have it, and may be down themselves."""
    world = World()
    world.table.put(1, "one")
    assert world.run(key(1), only="plain") == [Done.WRITTEN]
    assert world.held(world.plain) == "one"
    assert world.memory.documents == {}


def test_an_item_that_changes_meanwhile_is_written_again() -> None:
    """Verifying is what makes a sink without versions safe."""
    world = World()
    world.table.put(1, "one")
    world.become("two")
    assert world.run(key(1)) == [Done.WRITTEN]
    assert world.held(world.memory) == world.held(world.plain) == "two"


def test_a_refusal_of_one_sink_leaves_no_other_unverified() -> None:
    """The other has to hold what the item became meanwhile."""
    world = World(AnsweringInTurn(Refused("no"), Refused("no")))
    world.table.put(1, "one")
    world.become("two")
    (verdict,) = world.run(key(1))
    assert isinstance(verdict, Refused)
    assert world.held(world.plain) == "two"


def test_what_was_sent_unanswered_is_not_followed_by_a_newer_write() -> None:
    """It may land on top of that: the key is left for later, though its item has changed."""
    world = World(AnsweringInTurn(Unanswered("no answer")))
    world.table.put(1, "one")
    world.become("two")
    (settled,) = world.resync.run([key(1)], world.deadline)
    assert (type(settled.verdict), settled.tried) == (Unanswered, True)
    assert world.memory.documents == {}
    assert world.held(world.plain) == "one"


@pytest.mark.parametrize("only", [None, "memory"])
@pytest.mark.parametrize("stage", ["not sent", "unanswered", "verifying", "changing", "again"])
def test_a_key_says_whether_anything_was_sent_for_it(stage: str, only: str | None) -> None:
    """Whoever does not come again by himself has to know: then somebody must."""
    answers: dict[str, list[Any]] = {
        "not sent": [NotTried("open")] * 2,
        "unanswered": [Unanswered("no answer")],
        "again": [Done.WRITTEN, NotTried("open")],
    }
    world = World(AnsweringInTurn(*answers.get(stage, [])))
    world.table.put(1, "one")
    reads = iter(range(99))

    def change() -> None:
        n = next(reads)
        if stage == "changing" or (stage == "again" and n == 0):
            world.table.put(1, f"name {n}")
        elif stage == "verifying":
            world.table.items[key(1).source] = Unavailable("503")

    world.table.after_read = change
    (settled,) = world.resync.run([key(1)], world.deadline, only=only)
    assert isinstance(settled.verdict, Retry)
    assert settled.tried == (stage != "not sent")


def test_an_item_that_changes_all_the_time_is_left_for_later() -> None:
    """Bounded work: its own stream records are on their way."""
    world = World()
    names = iter(range(100))

    def change() -> None:
        world.clock.now += 1
        world.table.put(1, f"name {next(names)}")

    world.table.after_read = change
    (verdict,) = world.run(key(1))
    assert isinstance(verdict, Unavailable)
    assert next(names) == 6  # three rounds, each of which reads twice


def test_a_key_waits_until_its_version_is_past() -> None:
    """Else the write that parked it could land on top, late."""
    world = World()
    world.table.put(1, "one")
    parked = key(1, after=stream_version(int(world.clock.now) + 5, 7))
    (verdict,) = world.run(parked)
    assert isinstance(verdict, Unavailable)
    assert world.memory.documents == {}
    world.clock.now += 6
    assert world.run(parked) == [Done.WRITTEN]


def test_a_resync_that_may_land_yet_is_waited_for_by_the_next() -> None:
    """Which may run by a clock that is behind, and would be overwritten by it."""
    world = World(AnsweringInTurn(Unavailable("timeout")))
    world.table.put(1, "one")
    (settled,) = world.resync.run([key(1)], world.deadline)
    assert settled.key == key(1, after=world.clock.time_ns())
    world.clock.now += 20  # its breaker lets a try through
    assert world.run(settled.key, only="memory") == [Done.WRITTEN]


def test_of_keys_of_one_item_the_one_that_waits_longest_counts() -> None:
    """In whatever order they came."""
    world = World()
    late = stream_version(int(world.clock.now) + 5, 7)
    for keys in ([key(1), key(1, after=late)], [key(1, after=late), key(1)]):
        (verdict,) = world.run(*keys)
        assert isinstance(verdict, Unavailable)


def test_a_stale_resync_is_not_the_end() -> None:
    """The sink's version may be a clock's error; it is tried again later."""
    world = World(AnsweringInTurn(Done.STALE))
    world.table.put(1, "one")
    (verdict,) = world.run(key(1), only="memory")
    assert isinstance(verdict, Retry)
    assert world.run(key(1), only="memory") == [Done.WRITTEN]


def test_nothing_is_read_for_a_sink_that_is_not_tried() -> None:
    """Its breaker is open: an outage must not cost the table a reading for each parked key."""
    world = World(AnsweringInTurn(Unavailable("503"), Unavailable("503")))
    world.run(key(1), only="memory")
    world.table.after_read = lambda: pytest.fail("read")
    (verdict,) = world.run(key(1), only="memory")
    assert isinstance(verdict, Unavailable)


def test_what_can_never_succeed_is_said_so() -> None:
    """By the model, or by the destination."""
    world = World(AnsweringInTurn(Refused("no")))
    world.table.items[key(1).source] = {**core_keys("THING", "1"), "name": {"N": "5"}}
    world.table.put(2, "two")
    kinds = {type(verdict) for verdict in world.run(key(1), key(2))}
    assert kinds == {InvalidImage, Refused}


def test_a_key_that_no_model_wants_is_nobodys() -> None:
    """A model that changed since, or a sink it no longer feeds."""
    world = World()
    other = Parked(Source(CORE, core_keys("OTHER", "1")))
    assert world.run(other) == [Unmatched()]
    assert world.run(key(1), only="gone") == [Unmatched()]


def test_an_item_that_cannot_be_read_is_not_taken_for_absent() -> None:
    """Else a throttled table would empty the sinks."""
    world = World()
    world.run(key(1))
    world.table.put(1, "one")
    world.run(key(1))
    error = Misconfigured("no such table")
    world.table.items[key(1).source] = error
    assert world.run(key(1)) == [error]
    assert world.held(world.memory) == "one"


def test_settled_names_the_op_that_failed() -> None:
    """For the dead letter."""
    world = World(AnsweringInTurn(Refused("no")))
    world.table.put(1, "one")
    (settled,) = world.resync.run([key(1)], world.deadline)
    assert isinstance(settled, Settled)
    assert settled.op is not None
    assert (settled.op.id, settled.op.sink) == ("THING|1", "memory")


def test_few_items_are_in_memory_at_once() -> None:
    """A thousand of 400 KB would not fit."""
    world = World()
    reads: list[int] = []
    read = world.table.read

    def counted(sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        reads.append(len(sources))
        return read(sources, deadline)

    world.table.read = counted  # type: ignore[method-assign]
    for n in range(250):
        world.table.put(n, "x")
    assert set(world.run(*(key(n) for n in range(250)))) == {Done.WRITTEN}
    assert reads == [100, 100, 100, 100, 50, 50]


def test_a_sink_that_is_down_is_not_read_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first slice its breaker is open: the items of the others are left alone."""
    world = World(AnsweringInTurn(*[Unavailable("503")] * 5))
    monkeypatch.setattr("sync.recovery.resync.SLICE", 2)
    assert [type(v) for v in world.run(*(key(n) for n in range(5)), only="memory")] == [
        *[Unavailable] * 2,
        *[NotTried] * 3,
    ]
