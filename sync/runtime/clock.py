"""The clock, behind a protocol so that tests can simulate it."""

import time
from typing import Protocol


class Clock(Protocol):
    """The time, and waiting."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never decreases."""
        ...

    def time_ns(self) -> int:
        """Nanoseconds since the epoch by this machine's clock, which may be wrong."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real clock of this machine."""

    monotonic = staticmethod(time.monotonic)
    time_ns = staticmethod(time.time_ns)
    sleep = staticmethod(time.sleep)


def now_s(clock: Clock) -> float:
    """Seconds since the epoch by *clock*."""
    return clock.time_ns() / 1e9
