"""Circuit breakers: while a sink or target is down, its ops are parked without a request."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from sync.errors import NotTried, Retry
from sync.runtime.clock import Clock
from sync.writing.op import Outcome

FIRST_S: Final = 15.0
LONGEST_S: Final = 240.0


class Breaker:
    """A circuit breaker for one sink or one target of it, in one warm container.

    Opens when every op of a write ends in Retry. Stays open for 15 s, then twice as long each time
    the next write fails too, up to 4 minutes. Closes when any op of a write ends otherwise.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0
        self._pause_s = 0.0
        self._cause: Retry | None = None

    @property
    def cause(self) -> Retry | None:
        """The error that opened it; None if it is closed."""
        return self._cause

    @property
    def until(self) -> float:
        """When its latest pause ends or ended, as a value of the clock's `monotonic`."""
        return self._until

    @property
    def left_s(self) -> float:
        """Seconds until a write may be tried; 0 if it may be tried now."""
        return 0.0 if self._cause is None else max(0.0, self._until - self._clock.monotonic())

    def refusal(self) -> NotTried | None:
        """The error for ops that must not be tried now; None if they may."""
        left = self.left_s
        if self._cause is None or not left:
            return None
        error = NotTried(f"not tried for another {left:.0f} s, after: {self._cause}")
        error.__cause__ = self._cause
        return error

    def saw(self, outcomes: Sequence[Outcome]) -> None:
        """Open or close by the outcomes of a write."""
        failures = [outcome.result for outcome in outcomes if isinstance(outcome.result, Retry)]
        if not failures:
            self._pause_s, self._cause = 0.0, None
        elif len(failures) == len(outcomes):
            self._pause_s = min(LONGEST_S, self._pause_s * 2 or FIRST_S)
            self._until = self._clock.monotonic() + self._pause_s
            self._cause = failures[-1]


class Breakers:
    """The breakers of one sink: its own, and one for each target that failed by itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._whole = Breaker(clock)
        self._targets: dict[str, Breaker] = {}

    def refusal(self, target: str | None = None) -> NotTried | None:
        """The error for ops that must not be tried now; None if they may.

        With a *target*, that of the sink or of the target; without, that of the sink.
        """
        if (refusal := self._whole.refusal()) is not None or target is None:
            return refusal
        breaker = self._targets.get(target)
        return breaker.refusal() if breaker else None

    def saw(self, outcomes: Sequence[Outcome]) -> None:
        """Open or close by the outcomes of a write.

        An error of one target (`Retry.of_target`) counts for that target's breaker only.
        """
        of_sink: list[Outcome] = []
        by_target: defaultdict[str, list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            if not isinstance(outcome.result, Retry) or outcome.result.of_target:
                by_target[outcome.op.target].append(outcome)
            if not (isinstance(outcome.result, Retry) and outcome.result.of_target):
                of_sink.append(outcome)
        self._whole.saw(of_sink)
        for target, seen in by_target.items():
            if target in self._targets or any(isinstance(result, Retry) for _, result in seen):
                self._targets.setdefault(target, Breaker(self._clock)).saw(seen)

    def open(self) -> Iterator[tuple[str | None, Breaker]]:
        """The open breakers, each with its target; None for the sink's own."""
        for target, breaker in ((None, self._whole), *self._targets.items()):
            if breaker.left_s:
                yield target, breaker
