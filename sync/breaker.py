"""Not waiting again and again on a sink that is down."""

from collections.abc import Sequence
from typing import Final

from sync.clock import Clock
from sync.errors import Retry, Unavailable
from sync.ops import Outcome

FIRST_S: Final = 15.0
LONGEST_S: Final = 240.0


class Breaker:
    """One for each sink and warm container. Open: ops are parked without being tried.

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
    def left_s(self) -> float:
        """How long it stays open; 0 where it is closed."""
        return 0.0 if self._cause is None else max(0.0, self._until - self._clock.monotonic())

    def refusal(self) -> Unavailable | None:
        """Why nothing should be tried now; None where it should."""
        left = self.left_s
        if self._cause is None or not left:
            return None
        error = Unavailable(f"not tried for another {left:.0f} s, after: {self._cause}")
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
