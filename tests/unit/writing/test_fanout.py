"""Ops go to their sinks at once, and a sink that is down is not asked."""

from collections.abc import Iterable, Sequence
from threading import Barrier, get_ident
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.errors import Misconfigured, NotTried, Unavailable
from sync.runtime.deadline import Deadline
from sync.writing.breaker import FIRST_S, Breakers
from sync.writing.fanout import Fanout, in_threads
from sync.writing.op import Done, Op, Outcome
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import one_by_one
from tests.doubles.sinks import Answering

DOWN = Unavailable("503")
MISSING = Misconfigured("404 no such alias", of_target=True)


def op(sink: str, id_: str = "1", target: str = "things") -> Op:
    return Op(sink, Source("t", {"id": {"S": id_}}), target, id_, b"{}", 1)


class Watching:
    """Keeps what it saw."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[Any]]] = []

    def saw(self, sink: str, outcomes: Sequence[Outcome]) -> None:
        self.told.append((sink, [result for _, result in outcomes]))


class Noting:
    """In place of the state table."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[Any], bool]] = []

    def saw(self, sink: str, outcomes: Sequence[Outcome], breakers: Breakers) -> None:
        is_open = bool(list(breakers.open()))
        self.told.append((sink, [result for _, result in outcomes], is_open))


class Bench:
    def __init__(self, **options: Any) -> None:
        self.clock = ManualClock()
        self.sinks = {name: Answering(versioned=False) for name in ("a", "b")}
        self.fanout = Fanout(self.sinks, self.clock, **options)

    def down(self, sink: str, error: Any = DOWN) -> None:
        self.sinks[sink].answer = lambda _op: error

    def write(self, *ops: Op) -> list[tuple[str, str, Any]]:
        deadline = Deadline(30, clock=self.clock.monotonic, sleep=self.clock.sleep)
        return [(op.sink, op.id, result) for op, result in self.fanout.write(ops, deadline)]


def test_each_sink_is_called_once_with_its_ops_and_the_deadline() -> None:
    """In their order; each op has an outcome."""
    seen: list[Any] = []

    class Seeing(Answering):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            seen.append((ops, deadline))
            return list(super().write(ops, deadline))

    one, two = Seeing(), Seeing()
    deadline = Deadline(30)
    fanout = Fanout({"a": one, "b": two}, ManualClock(), at_once=one_by_one)
    ops = [op("a", "1"), op("b", "1"), op("a", "2")]
    outcomes = list(fanout.write(ops, deadline))
    assert [(o.op, o.result) for o in outcomes] == [
        (each, Done.WRITTEN) for each in (ops[0], ops[2], ops[1])
    ]
    assert [given for given, _ in seen] == [[ops[0], ops[2]], [ops[1]]]
    assert all(given is deadline for _, given in seen)


@pytest.mark.parametrize("count", [2, 40])
def test_sinks_are_written_to_at_the_same_time(count: int) -> None:
    """Each waits here until all others were called, however many there are."""
    met = Barrier(count, timeout=10)

    def write(sink: str) -> list[Outcome]:
        met.wait()
        return [Outcome(op(sink), Done.WRITTEN)]

    names = [str(n) for n in range(count)]
    found = dict(in_threads(write, names))
    assert {sink: written[0].op.sink for sink, written in found.items()} == {n: n for n in names}


def test_a_single_sink_needs_no_thread() -> None:
    """Starting one costs time, and importing what starts it more."""
    threads: list[int] = []

    def write(sink: str) -> list[Outcome]:
        threads.append(get_ident())
        return []

    assert list(in_threads(write, ["a"])) == [("a", [])]
    assert threads == [get_ident()]
    assert list(in_threads(write, [])) == []
    list(in_threads(write, ["a", "b"]))
    assert get_ident() not in threads[1:]


def test_while_a_sink_is_down_it_is_not_called() -> None:
    """Its ops are told what kept them, and the other sink is written to."""
    bench = Bench()
    bench.down("a")
    assert bench.write(op("a"), op("b")) == [("a", "1", DOWN), ("b", "1", Done.WRITTEN)]
    (_, _, refusal), (_, _, written) = bench.write(op("a"), op("b"))
    assert isinstance(refusal, NotTried)
    assert str(refusal) == f"not tried for another {FIRST_S:.0f} s, after: 503"
    assert written is Done.WRITTEN
    assert [len(sink.calls) for sink in bench.sinks.values()] == [1, 2]


def test_being_down_costs_one_call_in_each_pause() -> None:
    """However many batches come: four minutes apart in the end."""
    bench = Bench()
    bench.down("a")
    for _ in range(3600):
        bench.write(op("a"))
        bench.clock.sleep(1.0)
    assert len(bench.sinks["a"].calls) == 5 + 14  # at 0, 15, 45, 105, 225 s, then every 240 s


def test_while_a_target_is_missing_the_others_are_written() -> None:
    """In the same call; only what the sink was asked is seen as its answer."""
    watching = Watching()
    bench = Bench(watchers=[watching])
    bench.sinks["a"].answer = lambda op: MISSING if op.target == "x" else None
    bench.write(op("a", target="x"))
    (_, id_, refusal), (_, _, written) = bench.write(op("a", "2", "y"), op("a", "1", "x"))
    assert (id_, type(refusal), written) == ("1", NotTried, Done.WRITTEN)
    assert [each.target for each in bench.sinks["a"].calls[1]] == ["y"]
    assert watching.told == [("a", [MISSING]), ("a", [Done.WRITTEN])]


def test_a_strict_sink_is_called_whatever_happened() -> None:
    """Lambda's three retries come without a pause."""
    bench = Bench(strict=["a"])
    bench.down("a")
    for _ in range(4):
        assert bench.write(op("a")) == [("a", "1", DOWN)]
    assert len(bench.sinks["a"].calls) == 4
    assert bench.fanout.refusal("a") is None


def test_who_asks_is_told_whether_a_sink_is_tried() -> None:
    """A resync asks before it reads; one of all sinks, or of an unknown one, is always tried."""
    bench = Bench()
    assert bench.fanout.refusal("a") is None
    bench.down("a")
    bench.write(op("a"))
    assert isinstance(bench.fanout.refusal("a"), NotTried)
    assert [bench.fanout.refusal(sink) for sink in ("b", None, "unknown")] == [None] * 3
    bench.clock.sleep(FIRST_S)
    assert bench.fanout.refusal("a") is None


def test_a_missing_target_keeps_nobody_from_asking_the_sink() -> None:
    """It is not known yet which targets a resync writes to."""
    bench = Bench()
    bench.down("a", MISSING)
    bench.write(op("a"))
    assert bench.fanout.refusal("a") is None


def test_what_a_sink_did_is_noted_with_the_state_of_its_breakers() -> None:
    """By the name that stands for the place: a queue is not the sink behind it."""
    noting, watching = Noting(), Watching()
    bench = Bench(state=noting, watchers=[watching, watching], noted_as={"a": "a queue"})
    bench.down("b")
    bench.write(op("a"), op("b"))
    assert sorted(noting.told) == [("a queue", [Done.WRITTEN], False), ("b", [DOWN], True)]
    assert sorted(name for name, _ in watching.told) == ["a queue", "a queue", "b", "b"]


def test_what_was_not_sent_is_noted_nowhere() -> None:
    """A pause is no failure, and would never end if it counted as one."""
    noting, watching = Noting(), Watching()
    bench = Bench(state=noting, watchers=[watching])
    bench.down("a")
    bench.write(op("a"))
    bench.write(op("a"))
    assert (len(noting.told), len(watching.told)) == (1, 1)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_sink_that_forgets_an_op_is_a_bug(kept: int) -> None:
    """Named with how many it forgot; otherwise a write would be lost without a word."""

    class Forgetful(Answering):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            return [Outcome(each, Done.WRITTEN) for each in ops[:kept]]

    fanout = Fanout({"a": Forgetful()}, ManualClock())
    with pytest.raises(AssertionError, match=f"^a: {kept} outcomes for 2 ops$"):
        list(fanout.write([op("a", "1"), op("a", "2")], Deadline(30)))


def test_an_outcome_of_another_op_is_no_outcome() -> None:
    """The same id in another target is another document."""

    class Confused(Answering):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            return [Outcome(op("a", "1", "other"), Done.WRITTEN)]

    with pytest.raises(AssertionError, match="1 outcomes for 1 ops"):
        list(Fanout({"a": Confused()}, ManualClock()).write([op("a")], Deadline(30)))
