"""Writing to several sinks at once, so that none waits for another, or long for a dead one."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from sync.errors import NotTried
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from sync.writing.breaker import Breakers
from sync.writing.health import StateTable, noted_as
from sync.writing.op import Op, Outcome
from sync.writing.sink import Sink

Written = tuple[type[Sink], list[Outcome]]
Write = Callable[[type[Sink]], list[Outcome]]
AtOnce = Callable[[Write, Iterable[type[Sink]]], Iterator[Written]]
"""Calls a function with each of some sinks, perhaps at the same time; yields what it returns."""


def in_threads(write: Write, sinks: Iterable[type[Sink]]) -> Iterator[Written]:
    """One thread a sink; none where there is one sink alone."""
    sinks = list(sinks)
    if len(sinks) < 2:
        yield from ((sink, write(sink)) for sink in sinks)
        return
    from concurrent.futures import ThreadPoolExecutor  # only a batch for several sinks needs it

    with ThreadPoolExecutor(len(sinks)) as pool:
        running = [(sink, pool.submit(write, sink)) for sink in sinks]
        yield from ((sink, future.result()) for sink, future in running)


class Watcher(Protocol):
    """What learns from how writes go."""

    def saw(self, sink: str, outcomes: Sequence[Outcome]) -> None: ...


class Fanout:
    """The sinks of a service, with breakers for each. One for each warm container.

    *strict* names sinks without breakers: Lambda retries what they fail, three times and at once,
    and each of these has to be a real one.

    *watchers* are told how each write went, in the thread of that sink.

    *state*, if given, is told how each sink is doing; a sink that has a queue under a name of its
    own, since what the queue has taken its destination has not.
    """

    def __init__(
        self,
        sinks: Mapping[type[Sink], Sink],
        clock: Clock,
        *,
        at_once: AtOnce = in_threads,
        state: StateTable | None = None,
        strict: Collection[str] = (),
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._sinks = sinks
        self._breakers = {sink: Breakers(clock) for sink in sinks}
        self._at_once = at_once
        self._strict = strict
        self._watchers = watchers
        self._state = state
        self._noted = {kind: noted_as(kind, sink) for kind, sink in sinks.items()}

    def refusal(self, name: str | None) -> NotTried | None:
        """Why nothing should be tried with the sink of that *name* now; None where it should."""
        for sink in self._breakers:
            if sink.name == name:
                return self._refusal(sink, None)
        return None

    def _refusal(self, sink: type[Sink], target: str | None) -> NotTried | None:
        return None if sink.name in self._strict else self._breakers[sink].refusal(target)

    def write(
        self, ops: Mapping[type[Sink], Sequence[Op]], deadline: Deadline
    ) -> Iterator[tuple[type[Sink], Outcome]]:
        """Write each sink's *ops*, no two of one (target, id), and yield an outcome for each op.

        A sink that raises, or that leaves an op without an outcome, has a bug: that is raised.
        """

        def write_one(sink: type[Sink]) -> list[Outcome]:
            breakers = self._breakers[sink]
            refusals = {
                target: self._refusal(sink, target) for target in {op.target for op in ops[sink]}
            }
            outcomes = [
                Outcome(op, refusal) for op in ops[sink] if (refusal := refusals[op.target])
            ]
            if wanted := [op for op in ops[sink] if refusals[op.target] is None]:
                written = list(self._sinks[sink].write(wanted, deadline))
                if _places(op for op, _ in written) != _places(wanted):
                    told = f"{len(written)} outcomes for {len(wanted)} ops"
                    raise AssertionError(f"{sink.name}: {told}")
                breakers.saw(written)
                for watcher in self._watchers:
                    watcher.saw(self._noted[sink], written)
                if self._state is not None:
                    self._state.saw(self._noted[sink], written, breakers)
                outcomes += written
            return outcomes

        for sink, outcomes in self._at_once(write_one, ops):
            yield from ((sink, outcome) for outcome in outcomes)


def _places(ops: Iterable[Op]) -> set[tuple[str, str]]:
    return {(op.target, op.id) for op in ops}
