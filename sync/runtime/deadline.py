"""The time that is left for work, and sleeping within it."""

import time
from collections.abc import Callable
from typing import Protocol


class LambdaContext(Protocol):
    """The part of Lambda's context object that this service reads."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


class Deadline:
    """The moment by which work has to end, *seconds* from its creation.

    *clock* gives seconds that never decrease; *sleep* waits for a number of seconds. Both are
    parameters so that tests can simulate time.
    """

    __slots__ = ("_at", "_clock", "_sleep")

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._at = clock() + seconds

    def within(self, seconds: float) -> "Deadline":
        """A deadline in *seconds* from now, but never after this one."""
        left = min(seconds, self.remaining())
        return Deadline(left, clock=self._clock, sleep=self._sleep)

    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self._at - self._clock())

    def pause(self, seconds: float) -> bool:
        """Sleep for *seconds* and return True; return False at once if less time is left."""
        if seconds >= self.remaining():
            return False
        self._sleep(seconds)
        return True
