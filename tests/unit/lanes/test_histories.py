"""Histories of lanes, however their messages are batched, ordered and repeated."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.lanes import worker as module
from sync.sinks.typesense import Typesense
from tests.doubles.fifo import Message
from tests.doubles.lane import Line
from tests.unit.lanes.things import Destination, Thing, op, run


@pytest.fixture
def destination() -> Destination:
    return Destination()


histories = st.lists(
    st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 99)), max_size=6),
    max_size=12,
)


def play(line: Line, batches: Iterable[list[tuple[int, int | None]]], cut: Iterator[int]) -> None:
    """The stream sends *batches*, while the worker gets batches of a size that *cut* says, each
    twice: once killed before it could answer, as Lambda's time can be up after all is written."""
    for batch in batches:
        folded = {id_: op(id_, state) for id_, state in batch}
        line.send(*folded.values())
        while line.fifo.waiting and (size := next(cut)):
            taken = line.fifo.waiting[:size]
            run(line, taken)
            assert run(line, taken) == []
            line.fifo.waiting = line.fifo.waiting[size:]
    while line.fifo.waiting:
        taken = line.fifo.waiting[:10]
        assert run(line, taken) == []
        line.fifo.waiting = line.fifo.waiting[10:]


def ends_as_the_table(
    batches: list[list[tuple[int, int | None]]], cuts: Sequence[int]
) -> tuple[Any, Any]:
    destination = Destination()
    cut = iter([*cuts, *[0] * 10_000])
    play(Line(destination, Thing), batches, cut)
    end = {str(id_): state for batch in batches for id_, state in batch}
    return destination.holds(), {k: {"name": s} for k, s in end.items() if s is not None}


@given(histories, st.lists(st.integers(0, 10), max_size=30))
def test_any_history_ends_where_the_table_did(
    batches: list[list[tuple[int, int | None]]], cuts: list[int]
) -> None:
    """However messages are batched, and though each batch comes twice."""
    held, wanted = ends_as_the_table(batches, cuts)
    assert held == wanted


# Planted bugs: what the tests above are worth.

SCRIPT: list[list[tuple[int, int | None]]] = [[(n, r) for n in range(6)] for r in range(12)]


def out_of_order(line: Line) -> None:
    """Messages reach the worker as SQS may deliver those of different groups: in any order, the
    latest first."""
    groups: dict[str, list[Message]] = {}
    for message in line.fifo.waiting:
        groups.setdefault(message.group, []).append(message)
    while groups:
        for group in reversed(list(groups)):
            run(line, [groups[group].pop(0)])
            if not groups[group]:
                del groups[group]


def played_out_of_order(destination: Destination) -> dict[str, Any]:
    line = Line(destination, Thing)
    for batch in SCRIPT:
        line.send(*(op(id_, state) for id_, state in batch))
    out_of_order(line)
    return destination.holds()


WANTED = {str(n): {"name": 11} for n in range(6)}


def test_lanes_in_any_order_end_right(destination: Destination) -> None:
    """Only within a lane order holds, and that is all that is needed."""
    assert played_out_of_order(destination) == WANTED


def test_a_lane_by_chance_ends_wrong(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the actions of one document go down different lanes."""
    lane = iter(range(10_000))
    anywhere = replace(Typesense.lanes, of=lambda op: str(next(lane)))
    monkeypatch.setattr(Typesense, "lanes", anywhere)
    assert played_out_of_order(destination) != WANTED


def test_folding_to_the_first_action_ends_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: an older action of a document is applied on top of a newer one."""
    latest = module._latest
    monkeypatch.setattr(
        module, "_latest", lambda sink, given, *more: latest(sink, given[::-1], *more)
    )
    held, wanted = ends_as_the_table(SCRIPT, [])
    assert held != wanted
