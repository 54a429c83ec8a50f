"""Lambda functions: containers that are reused, clocks that disagree, timeouts and kills."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from local.delivery.ports import Answered, NotInvoked, Result
from sync.errors import ModelBug
from sync.writing.sink import Sink
from tests.simulation.calls import Calls
from tests.simulation.world import Killed, MachineClock, Task, World

COLD_START_S: Final = 0.5


class Container:
    """A machine that handles one event at a time, until it is killed."""

    def __init__(self, clock: MachineClock, release: int) -> None:
        self.clock = clock
        self.release = release
        self.handle: Callable[[Any, Any], Any] | None = None  # made by its first event


class Invocation:
    """An event on its way through a container. What it runs as tasks dies with it."""

    def __init__(self, world: World, container: Container, timeout_s: float) -> None:
        self.aws_request_id = f"{world.random.getrandbits(64):016x}"
        self.container = container
        self.tasks: list[Task] = []
        self.over = False
        self.end: Callable[[Any, BaseException | None], object] = lambda _value, _error: None
        self._world = world
        self._ends = world.now + timeout_s

    def die(self) -> None:
        """The container is gone, and with it all that runs in it."""
        self.end(None, Killed())

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends - self._world.now) * 1000))


class Function:
    """One function. *start* makes a container's handler, given its clock."""

    def __init__(
        self,
        name: str,
        calls: Calls,
        start: Callable[[MachineClock], Callable[[Any, Any], Any]],
        *,
        timeout_s: float,
        clocks_s: tuple[float, ...],
        expected: tuple[type[Exception], ...],
    ) -> None:
        self.name = name
        self.arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
        self.running: list[Invocation] = []
        self.unexpected: list[BaseException] = []  # raised by the handler, and not by design
        self._calls = calls
        self._start = start
        self._timeout_s = timeout_s
        self._clocks_s = clocks_s
        self._expected = expected
        self._idle: list[Container] = []
        self.watch: Callable[[Function, Invocation, Any], object] | None = None  # told of events
        self._release = 0

    def invoke(
        self,
        event: Callable[[], Any],
        done: Callable[[Result], object],
        *,
        expected: tuple[type[Exception], ...] = (),
    ) -> Invocation | None:
        """Have *event* handled; *done* is told how it went. None: it was not taken.

        *expected*: what the handler may raise by design for this event, if not what it always may.
        """
        world, trouble = self._calls.world, self._calls.trouble
        if not trouble.over and world.random.random() < trouble.rates.get("lambda.invoke", 0.0):
            self._calls.fired["lambda.invoke", "throttled"] += 1
            world.after(0.1, lambda: done(NotInvoked("TooManyRequestsException")))
            return None
        container = self._container()
        invocation = Invocation(world, container, self._timeout_s)
        self.running.append(invocation)
        world.note("invoke", self.name, invocation.aws_request_id)

        def handle() -> bytes:
            if container.handle is None:
                world.sleep(COLD_START_S * world.random.random())
                container.handle = self._start(container.clock)
            given = event()
            if self.watch is not None:
                self.watch(self, invocation, given)
            return json.dumps(container.handle(given, invocation)).encode()

        timeout = world.after(self._timeout_s, lambda: self.kill(invocation, "timed out"))

        def ended(value: Any, error: BaseException | None) -> None:
            if invocation.over:
                return
            invocation.over = True
            timeout.cancel()
            self.running.remove(invocation)
            world.note("ended", invocation.aws_request_id, value, type(error).__name__)
            if isinstance(error, Killed):
                world.after(0.0, lambda: world.kill(invocation.tasks))
            elif error is not None and not isinstance(_root(error), expected or self._expected):
                self.unexpected.append(error)
                world.broken = True
            if not isinstance(error, Killed) and container.release == self._release:
                self._idle.append(container)
            answer = Answered(value or b"", "Unhandled" if error else None)
            world.after(0.01, lambda: done(answer))

        invocation.tasks.append(world.spawn(handle, ended, owner=invocation))
        invocation.end = ended
        return invocation

    def kill(self, invocation: Invocation, why: str) -> None:
        """Take *invocation*'s container away; only for actions."""
        if not invocation.over:
            self._calls.fired["lambda", why] += 1
            self._calls.world.note("kill", invocation.aws_request_id, why)
            invocation.die()

    def set_clock(self) -> None:
        """The clock of one of its machines jumps, ahead or back."""
        containers = [*self._idle, *(invocation.container for invocation in self.running)]
        if containers:
            random = self._calls.world.random
            random.choice(containers).clock.step(random.choice(self._clocks_s))

    def replace(self) -> None:
        """New code is deployed: what runs ends with the old one, and handles nothing more."""
        self._release += 1
        self._idle.clear()

    def recycle(self) -> None:
        """Let the idle containers go, as Lambda does whenever it likes."""
        self._idle.clear()

    def _container(self) -> Container:
        random = self._calls.world.random
        if self._idle:
            return self._idle.pop(random.randrange(len(self._idle)))
        clock = MachineClock(self._calls.world, random.choice(self._clocks_s))
        return Container(clock, self._release)


def at_once(world: World) -> Callable[..., Any]:
    """Sinks written to as tasks of the invocation, for sync.writing.fanout."""

    def run(write: Callable[[type[Sink]], Any], sinks: Any) -> Any:
        chosen = list(sinks)
        if len(chosen) < 2:  # as in_threads does
            return [(sink, write(sink)) for sink in chosen]
        results = world.together([partial(write, sink) for sink in chosen])
        return list(zip(chosen, results, strict=True))

    return run


def _root(error: BaseException) -> BaseException | None:
    """What a model's plan raised, where that is what went wrong."""
    return error.__cause__ if isinstance(error, ModelBug) else error
