"""Virtual time, and tasks that take turns in an order that only the seed decides.

A task is a greenlet: plain code that gives way wherever it sleeps or calls a simulated service, so
the service's code needs no change to be interleaved at every call.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any, Final, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")

SECOND: Final = 10**9  # virtual time is whole nanoseconds, so that adding never rounds
START_NS: Final = 1_800_000_000 * SECOND


class Killed(BaseException):
    """The machine that the task runs on is gone. No `except Exception` stops it."""


class Stuck(Exception):
    """The world does not come to rest."""


class Event:
    """Something that will happen at a time, unless it is cancelled."""

    __slots__ = ("action", "at_ns")

    def __init__(self, at_ns: int, action: Callable[[], object]) -> None:
        self.at_ns = at_ns
        self.action: Callable[[], object] | None = action

    def cancel(self) -> None:
        self.action = None


class Task(greenlet):
    """Code under way. *owner* is what it runs for: killed with it, and asked for its clock."""

    def __init__(
        self,
        world: "World",
        run: Callable[[], Any],
        done: Callable[[Any, BaseException | None], object],
        owner: Any,
    ) -> None:
        super().__init__(self._guarded, world.hub)
        self.owner = owner
        self.waiting: Event | None = None
        self._body = run
        self._done = done

    def _guarded(self) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = self._body()
        except (Exception, Killed) as raised:
            error = raised
        self._done(value, error)


class World:
    """The time of one seed, and what will happen in it."""

    def __init__(self, seed: int, *, trace: bool = False) -> None:
        self.random = Random(seed)
        self.now_ns = START_NS
        self.now = START_NS / SECOND  # seconds since the epoch
        self.broken = False  # something happened that must not: there is no point in going on
        self.hub = getcurrent()
        self.steps = 0
        self.trace: list[str] | None = [] if trace else None
        self._queue: list[tuple[int, int, Event]] = []
        self._count = 0
        self._digest = hashlib.blake2b(digest_size=8)

    def note(self, *words: object) -> None:
        """Put *words* into the history, which is what a replay has to repeat."""
        line = " ".join(map(str, (self.now_ns - START_NS, *words)))
        self._digest.update(line.encode("utf-8", "backslashreplace"))
        if self.trace is not None:
            self.trace.append(f"{(self.now_ns - START_NS) / SECOND:14.6f} {line.split(' ', 1)[1]}")

    def fingerprint(self) -> str:
        """Equal for equal histories."""
        return self._digest.hexdigest()

    def after(self, seconds: float, action: Callable[[], object]) -> Event:
        """Do *action* so many seconds from now; at one moment, the seed decides who is first."""
        event = Event(self.now_ns + max(0, int(seconds * SECOND)), action)
        self._count += 1
        order = self.random.getrandbits(16) << 40 | self._count
        heapq.heappush(self._queue, (event.at_ns, order, event))
        return event

    def spawn(
        self,
        run: Callable[[], T],
        done: Callable[[Any, BaseException | None], object] = lambda _value, _error: None,
        *,
        owner: Any = None,
        delay_s: float = 0.0,
    ) -> Task:
        """Start a task; *done* is told what it returned or raised."""
        task = Task(self, run, done, owner)
        task.waiting = self.after(delay_s, task.switch)
        return task

    def sleep(self, seconds: float) -> None:
        """Let the current task wait."""
        task = getcurrent()
        assert isinstance(task, Task), "only tasks can wait"
        task.waiting = self.after(seconds, task.switch)
        self.hub.switch()

    def together(self, calls: Iterable[Callable[[], T]]) -> Iterator[T]:
        """Run *calls* as tasks of their own; yields what they return once all have ended.

        Raises what one of them raised, as threads of a pool would.
        """
        parent = getcurrent()
        assert isinstance(parent, Task)
        calls = list(calls)
        ended: dict[int, tuple[Any, BaseException | None]] = {}

        def done(at: int) -> Callable[[Any, BaseException | None], object]:
            def note(value: Any, error: BaseException | None) -> None:
                ended[at] = value, error
                if isinstance(error, Killed):
                    parent.owner.die()  # a machine that crashes, crashes as a whole
                if len(ended) == len(calls) and not parent.dead:
                    parent.waiting = self.after(0.0, parent.switch)

            return note

        for at, call in enumerate(calls):
            task = self.spawn(call, done(at), owner=parent.owner)
            parent.owner.tasks.append(task)
        if calls:
            parent.waiting = None
            self.hub.switch()
        for at in range(len(calls)):
            value, error = ended[at]
            if error is not None:
                raise error
            yield value

    def kill(self, tasks: Iterable[Task]) -> None:
        """End *tasks* where they stand; only for actions, never from within a task."""
        for task in tasks:
            if task.waiting:
                task.waiting.cancel()
            if task:  # begun, and not ended
                task.throw(Killed())

    def run(self, *, most_steps: int) -> None:
        """Let things happen until nothing is left to happen, or all is broken. Raises Stuck."""
        while self._queue and not self.broken:
            at_ns, _, event = heapq.heappop(self._queue)
            if event.action is None:
                continue
            self.now_ns, self.now = at_ns, at_ns / SECOND
            self.steps += 1
            if self.steps > most_steps:
                raise Stuck(f"no rest after {most_steps} steps, at {self._elapsed()}")
            action, event.action = event.action, None
            action()

    def _elapsed(self) -> str:
        return f"{(self.now_ns - START_NS) / SECOND / 3600:.1f} h"


class MachineClock:
    """The clock of one machine, off the true time by *skew_s*."""

    def __init__(self, world: World, skew_s: float) -> None:
        self._world = world
        self._skew_ns = int(skew_s * SECOND)
        self._booted_ns = world.now_ns

    def step(self, skew_s: float) -> None:
        """From now on it is off by *skew_s*: it may go back. `monotonic` does not."""
        self._skew_ns = int(skew_s * SECOND)

    def monotonic(self) -> float:
        return (self._world.now_ns - self._booted_ns) / SECOND

    def time_ns(self) -> int:
        return self._world.now_ns + self._skew_ns

    def sleep(self, seconds: float) -> None:
        self._world.sleep(seconds)
