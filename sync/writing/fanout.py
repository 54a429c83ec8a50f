"""Writes ops to their sinks in parallel; a slow or dead sink delays no other."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from sync.errors import NotTried
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from sync.writing.breaker import Breakers
from sync.writing.health import StateTable
from sync.writing.op import Op, Outcome
from sync.writing.sink import Writer

R = TypeVar("R")


class AtOnce(Protocol):
    """Calls a function with each of some names, perhaps in parallel; yields names and results."""

    def __call__(
        self, call: Callable[[str], R], names: Iterable[str], /
    ) -> Iterable[tuple[str, R]]: ...


def in_threads(call: Callable[[str], R], names: Iterable[str], /) -> Iterator[tuple[str, R]]:
    """Run *call* in a thread for each of *names*, such as those of sinks; without threads for a
    single one."""
    names = list(names)
    if len(names) < 2:
        yield from ((name, call(name)) for name in names)
        return
    from concurrent.futures import ThreadPoolExecutor  # slow to import: only for several sinks

    with ThreadPoolExecutor(len(names)) as pool:
        running = [(name, pool.submit(call, name)) for name in names]
        yield from ((name, future.result()) for name, future in running)


class Watcher(Protocol):
    """Observes the outcomes of writes."""

    def saw(self, sink: str, outcomes: Sequence[Outcome]) -> None:
        """Called after each write to *sink*, in that sink's thread."""
        ...


class Fanout:
    """Writes to the *sinks* of the service, given by name, each behind circuit breakers.

    One for each warm container. Sinks in *strict* have no breaker: Lambda retries their failures
    three times without a pause, and each retry has to reach the sink.

    *watchers* observe every write, and *state*, if given, records the state of each sink. Both
    know a sink by its name in *noted_as*, if it is there: a sink with lanes is written to by two
    fanouts, and what its queue accepted is not yet in the sink.
    """

    def __init__(
        self,
        sinks: Mapping[str, Writer],
        clock: Clock,
        *,
        at_once: AtOnce = in_threads,
        state: StateTable | None = None,
        strict: Collection[str] = (),
        watchers: Sequence[Watcher] = (),
        noted_as: Mapping[str, str] | None = None,
    ) -> None:
        self._sinks = sinks
        self._breakers = {sink: Breakers(clock) for sink in sinks}
        self._at_once = at_once
        self._strict = strict
        self._watchers = watchers
        self._state = state
        self._noted_as = noted_as or {}

    def refusal(self, sink: str | None) -> NotTried | None:
        """The error for ops that must not be tried with *sink* now; None if they may."""
        return self._refusal(sink, None) if sink in self._breakers else None

    def _refusal(self, sink: str | None, target: str | None) -> NotTried | None:
        if sink is None or sink in self._strict:
            return None
        return self._breakers[sink].refusal(target)

    def write(self, ops: Iterable[Op], deadline: Deadline) -> Iterator[Outcome]:
        """Write *ops*, no two of the same address, and yield an outcome for each.

        Raises whatever a sink raises, and AssertionError if a sink leaves out an outcome: both
        are bugs of the sink.
        """
        by_sink: dict[str, list[Op]] = {}
        for op in ops:
            by_sink.setdefault(op.sink, []).append(op)

        def write_one(sink: str) -> list[Outcome]:
            return list(self._write(sink, by_sink[sink], deadline))

        for _, outcomes in self._at_once(write_one, by_sink):
            yield from outcomes

    def _write(self, sink: str, ops: Sequence[Op], deadline: Deadline) -> Iterator[Outcome]:
        refusals = {target: self._refusal(sink, target) for target in {op.target for op in ops}}
        yield from (Outcome(op, refusal) for op in ops if (refusal := refusals[op.target]))
        wanted = [op for op in ops if refusals[op.target] is None]
        if not wanted:
            return
        written = list(self._sinks[sink].write(wanted, deadline))
        if {(op.target, op.id) for op, _ in written} != {(op.target, op.id) for op in wanted}:
            raise AssertionError(f"{sink}: {len(written)} outcomes for {len(wanted)} ops")
        breakers, name = self._breakers[sink], self._noted_as.get(sink, sink)
        breakers.saw(written)
        for watcher in self._watchers:
            watcher.saw(name, written)
        if self._state is not None:
            self._state.saw(name, written, breakers)
        yield from written
