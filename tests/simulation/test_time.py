"""Clocks, what expires, and what takes effect in part."""

import pytest

from sync.errors import Unavailable
from tests.simulation.alone import in_task, pass_time
from tests.simulation.calls import WHOLE, Calls, Fault, Trouble
from tests.simulation.models import KEYS, PARTS, part_keys
from tests.simulation.opensearch import ERRORS
from tests.simulation.stream import Reader, Stream
from tests.simulation.table import EXPIRED_S, Streamed, Table
from tests.simulation.world import MachineClock, World


@pytest.fixture
def world() -> World:
    return World(1)


class TestTime:
    def test_a_clock_may_step_back_and_a_duration_does_not(self, world: World) -> None:
        """`time_ns` jumps; `monotonic` goes on."""
        clock = MachineClock(world, 100.0)
        before = clock.time_ns(), clock.monotonic()
        pass_time(world, 10.0)
        clock.step(0.0)
        assert clock.time_ns() < before[0]
        assert clock.monotonic() == before[1] + 10.0

    def test_an_item_is_deleted_some_time_after_it_expires(self, world: World) -> None:
        """Unless it was written again meanwhile, with another time or none."""
        expired: list[str] = []
        rows = Table(world, "rows", ("id",), ttl="until", expired=lambda: expired.append("one"))
        until = {"until": {"N": str(int(world.now) + 100)}}
        for name in "ab":
            rows.put({"id": {"S": name}, **until})
        rows.put({"id": {"S": "b"}})
        began = world.now
        pass_time(world, 0.0)
        assert began + 100 <= world.now <= began + 100 + EXPIRED_S
        assert [item["id"]["S"] for item in rows] == ["b"]
        assert expired == ["one"]

    def test_what_is_trimmed_before_it_is_read_is_missed(self, world: World) -> None:
        """A reader tells what it missed, and goes on with what is left."""
        table = Streamed(world, PARTS, KEYS[PARTS], Stream(world, PARTS))
        for wait_s in (80_000.0, 7_000.0):
            table.put({**part_keys(b"\x00", 1), "title": {"S": f"{wait_s}"}})
            pass_time(world, wait_s)
        reader = Reader(table.stream)
        (left,) = reader.read("shardId-0").records
        (missed,) = reader.missed
        assert (missed.event()["eventName"], left.event()["eventName"]) == ("INSERT", "MODIFY")


class TestCallsInPart:
    def test_a_batch_without_an_answer_may_take_effect_in_part(self, world: World) -> None:
        """Some of the time; a call that is no batch never does."""
        calls = Calls(world, Trouble(rates={"a": 1.0}, kinds={"a": (Fault.CUT_AFTER,)}))
        seen: dict[bool, set[bool]] = {True: set(), False: set()}
        for batch in (True, False):
            possible = WHOLE | {Fault.PARTIAL} if batch else WHOLE
            for _ in range(40):

                def call(batch: bool = batch, possible: frozenset[Fault] = possible) -> None:
                    calls.make("a", seen[batch].add, ERRORS, possible=possible)

                assert isinstance(in_task(world, call)[1], Unavailable)
        assert seen == {True: {True, False}, False: {False}}
