"""Writing each sink its ops, several sinks at once: a slow or dead one delays no other."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from sync.errors import NotTried
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from sync.writing.breaker import Breakers
from sync.writing.health import StateTable
from sync.writing.op import Op, Outcome
from sync.writing.sink import Writer

Written = tuple[str, list[Outcome]]
Write = Callable[[str], list[Outcome]]
AtOnce = Callable[[Write, Iterable[str]], Iterator[Written]]
"""Calls a function with each of some sinks' names, perhaps at the same time; yields what it
returns."""


def in_threads(write: Write, sinks: Iterable[str]) -> Iterator[Written]:
    """One thread for each sink; none where there is only one."""
    sinks = list(sinks)
    if len(sinks) < 2:
        yield from ((sink, write(sink)) for sink in sinks)
        return
    from concurrent.futures import ThreadPoolExecutor  # only a batch for several sinks needs it

    with ThreadPoolExecutor(len(sinks)) as pool:
        running = [(sink, pool.submit(write, sink)) for sink in sinks]
        yield from ((sink, future.result()) for sink, future in running)


class Watcher(Protocol):
    """Is told how each write went, in the thread of its sink."""

    def saw(self, sink: str, outcomes: Sequence[Outcome]) -> None: ...


class Fanout:
    """The sinks of a service by name, with breakers for each. One for each warm container.

    *strict* names sinks without breakers: Lambda retries what they fail, three times and at once,
    and each of these has to be a real one.

    *state*, if given, keeps how each sink is doing. *noted_as* gives the names under which that
    and the *watchers* know sinks that are written to through a queue: what the queue has taken,
    the sink behind it has not.
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
        """Why nothing should be tried with *sink* now; None where it should."""
        return self._refusal(sink, None) if sink in self._breakers else None

    def _refusal(self, sink: str | None, target: str | None) -> NotTried | None:
        if sink is None or sink in self._strict:
            return None
        return self._breakers[sink].refusal(target)

    def write(self, ops: Iterable[Op], deadline: Deadline) -> Iterator[Outcome]:
        """Write *ops*, no two of one address, and yield an outcome for each.

        A sink that raises, or that leaves an op without an outcome, has a bug: that is raised.
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
