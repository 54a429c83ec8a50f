"""The rules of parking and resync, on one key, in every order that things can happen.

An application writes; a stream writer delivers in order, at least once, may park a key, and may
be killed after an effect; a request whose answer was lost may take effect later; the sink may
restart. Once all is at rest the sink holds what the table holds. Each rule is needed: without it
a history is found that ends otherwise. tests/simulation/ runs the real code through much larger
worlds; here a small one is exhausted.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.proofs.explore import Explored, explore

GONE = 0  # the value of an item that is not there, and of a document that is not


class World(NamedTuple):
    """Versions count ten to a second. A worker is idle, has read, or has written."""

    second: int
    table: int
    written: int  # how many of WRITES the application has made
    stream: tuple[tuple[int, int], ...]  # value and version of records not yet delivered
    held: int
    version: int  # of what is held, or of the tombstone
    late: tuple[int, int] | None  # an effect still under way
    parked: tuple[int, ...]  # the version that each resync has to be above
    troubles: int
    worker: tuple[str, int, int, int] | None  # phase, value, version, and what it was parked with


WRITES = (1, GONE)
LAST_WRITE_S, END_S = 2, 5
SKEW_S = 1  # creation times are approximate
TROUBLES = 2


class Rules(NamedTuple):
    """The rules of the real code; each can be left out."""

    verify: bool = True
    order_within_a_second: bool = True  # by the sequence number's digits
    stale_stream_parks: bool = True
    stale_resync_tries_again: bool = True
    wait_for_the_version: bool = True
    versions: bool = True


def steps(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _application(world, rules)
    yield from _stream(world, rules)
    yield from _sink(world, rules)
    yield from _worker(world, rules)


def _application(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if world.second < END_S:
        yield "a second passes", world._replace(second=world.second + 1)
    if world.written < len(WRITES) and world.second <= LAST_WRITE_S:
        value = WRITES[world.written]
        tie = world.written + 1 if rules.order_within_a_second else 0
        for stamp in range(max(0, world.second - SKEW_S), world.second + SKEW_S + 1):
            record = value, stamp * 10 + tie
            yield (
                f"write {value}, stamped {stamp}",
                world._replace(
                    table=value, written=world.written + 1, stream=(*world.stream, record)
                ),
            )


def _stream(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if not world.stream:
        return
    (value, version), rest = world.stream[0], world.stream[1:]
    moved = world._replace(stream=rest)
    if (after := _land(moved, value, version, rules)) is not None:
        yield f"stream writes {value}", after
    else:
        yield "stream: stale", _park(moved, version) if rules.stale_stream_parks else moved
    if world.troubles:
        moved = moved._replace(troubles=world.troubles - 1)
        yield f"stream parks {value}", _park(moved, version)
        if world.late is None:
            under_way = moved._replace(late=(value, version))
            yield f"stream parks {value}, which may land yet", _park(under_way, version)
            yield (
                f"killed while {value} is under way",
                under_way._replace(stream=world.stream),
            )


def _sink(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if world.late is not None:
        value, version = world.late
        landed = _land(world, value, version, rules) or world
        yield f"{value} lands late", landed._replace(late=None)
    if world.held == GONE and world.version:  # a request in flight goes with the restart
        yield "restart: tombstones are gone", world._replace(version=0, late=None)


def _worker(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    if world.worker is None:
        for above in set(world.parked):
            version = world.second * 10
            if version > above or not rules.wait_for_the_version:
                left = list(world.parked)
                left.remove(above)
                yield (
                    f"resync reads {world.table}",
                    world._replace(
                        parked=tuple(left), worker=("read", world.table, version, above)
                    ),
                )
        return
    phase, value, version, above = world.worker
    idle = world._replace(worker=None)
    if phase == "written":
        yield (
            f"resync verifies {world.table}",
            idle if world.table == value else _park(idle, above),
        )
    elif (after := _land(idle, value, version, rules)) is not None:
        written = ("written", value, version, above) if rules.verify else None
        yield f"resync writes {value}", after._replace(worker=written)
    else:
        yield "resync: stale", _park(idle, above) if rules.stale_resync_tries_again else idle


def _land(world: World, value: int, version: int, rules: Rules) -> World | None:
    if rules.versions and version < world.version:
        return None
    return world._replace(held=value, version=version)


def _park(world: World, above: int) -> World:
    return world._replace(parked=tuple(sorted((*world.parked, above))))


def run(rules: Rules) -> Explored:
    replayed = (-1,)  # as after a replay: parked with nothing to wait for
    start = World(1, 3, 0, (), 3, 3, None, replayed, TROUBLES, None)
    return explore(
        start,
        lambda world: steps(world, rules),
        at_rest=lambda world: (
            world.written == len(WRITES)
            and not world.stream
            and not world.parked
            and world.late is None
            and world.worker is None
        ),
        good=lambda world: world.held == world.table,
    )


def test_whatever_happens_the_sink_ends_where_the_table_ended() -> None:
    """Over all states of the small world."""
    explored = run(Rules())
    assert explored.history is None
    assert explored.states > 100_000
    assert explored.at_rest > 10


@pytest.mark.parametrize("rule", Rules._fields)
def test_without_this_rule_some_history_diverges(rule: str) -> None:
    """The check can fail, and every rule earns its place."""
    explored = run(Rules()._replace(**{rule: False}))
    assert explored.history is not None, f"{rule} makes no difference here"
