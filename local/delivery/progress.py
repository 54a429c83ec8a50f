"""What a driver has done so far; threads share it and wait for it to change."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counts:
    """Records by what happened to them; *invoked* and *failed* are invocations."""

    read: int = 0
    filtered: int = 0
    delivered: int = 0
    discarded: int = 0
    lost: int = 0  # discarded, and the on-failure document could not be sent
    invoked: int = 0
    failed: int = 0  # invocations that did not deliver all of their records
    errors: int = 0  # calls that the stream, the function or the destination did not answer


class Progress:
    """The counts of one driver, and the lock that guards them and all the driver's state.

    No call to the stream, the function or the destination is made while the lock is held. *name*
    begins the messages.
    """

    def __init__(self, name: str) -> None:
        self.changed = threading.Condition()
        self.last_error: str | None = None
        self.counts = Counts()
        self._name = name
        self._crash: BaseException | None = None

    def add(self, **more: int) -> None:
        """Add to the counts and wake all who wait; the caller holds the lock."""
        if any(more.values()):
            sums = {name: getattr(self.counts, name) + value for name, value in more.items()}
            self.counts = replace(self.counts, **sums)
            self.changed.notify_all()

    def unreachable(self, reason: str) -> None:
        """Count a call without an answer, which is made again later."""
        log.warning("%s; it is tried again", reason)
        with self.changed:
            self.last_error = reason
            self.add(errors=1)

    def crashed(self, thread: str, error: BaseException) -> None:
        """A thread ended with *error*, which is raised in whoever waits, now or later."""
        log.error("%s: %s broke", self._name, thread, exc_info=error)
        with self.changed:
            self._crash = error
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until *condition* holds; False if it does not within *timeout_s*.

        Raises RuntimeError if a thread crashed.
        """
        with self.changed:
            met = self.changed.wait_for(lambda: condition() or self._crash is not None, timeout_s)
        self.raise_crash()
        return met

    def raise_crash(self) -> None:
        """Raise RuntimeError if a thread crashed."""
        if self._crash:
            raise RuntimeError(f"{self._name}: the driver broke") from self._crash
