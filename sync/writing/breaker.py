"""Not waiting again and again on a sink that is down, or on one target of it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from sync.errors import NotTried, Retry
from sync.runtime.clock import Clock
from sync.writing.op import Outcome

FIRST_S: Final = 15.0
LONGEST_S: Final = 240.0


class Breaker:
    """One for each sink, target and warm container. Open: ops are parked without being tried.

    It opens when a write gets nothing done and ends in Retry alone, stays open for 15 s, twice as
    long each time the next try fails too, up to 4 minutes, and closes with the first op that the
    sink answers.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0
        self._pause_s = 0.0
        self._cause: Retry | None = None

    @property
    def cause(self) -> Retry | None:
        """What opened it; None while the sink answers."""
        return self._cause

    @property
    def until(self) -> float:
        """When its last pause ends or ended, by the clock's `monotonic`."""
        return self._until

    @property
    def left_s(self) -> float:
        """How long it stays open; 0 where it is closed."""
        return 0.0 if self._cause is None else max(0.0, self._until - self._clock.monotonic())

    def refusal(self) -> NotTried | None:
        """Why nothing should be tried now; None where it should."""
        left = self.left_s
        if self._cause is None or not left:
            return None
        error = NotTried(f"not tried for another {left:.0f} s, after: {self._cause}")
        error.__cause__ = self._cause
        return error

    def saw(self, outcomes: Sequence[Outcome]) -> None:
        """Take note of how a write went."""
        failures = [outcome.result for outcome in outcomes if isinstance(outcome.result, Retry)]
        if not failures:
            self._pause_s, self._cause = 0.0, None
        elif len(failures) == len(outcomes):
            self._pause_s = min(LONGEST_S, self._pause_s * 2 or FIRST_S)
            self._until = self._clock.monotonic() + self._pause_s
            self._cause = failures[-1]


class Breakers:
    """The breakers of one sink: its own, and one for each target that had trouble of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._whole = Breaker(clock)
        self._targets: dict[str, Breaker] = {}

    def refusal(self, target: str | None = None) -> NotTried | None:
        """Why nothing should be tried now with *target*; None: with any."""
        if (refusal := self._whole.refusal()) is not None or target is None:
            return refusal
        breaker = self._targets.get(target)
        return breaker.refusal() if breaker else None

    def saw(self, outcomes: Sequence[Outcome]) -> None:
        """Take note of how a write went, for the sink and for each target.

        Trouble of one target says that the sink answers, and nothing of other targets.
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
            if target in self._targets or any(isinstance(one.result, Retry) for one in seen):
                self._targets.setdefault(target, Breaker(self._clock)).saw(seen)

    def open(self) -> Iterator[tuple[str | None, Breaker]]:
        """Those that are open, each with its target; None: the sink's own."""
        for target, breaker in ((None, self._whole), *self._targets.items()):
            if breaker.left_s:
                yield target, breaker
