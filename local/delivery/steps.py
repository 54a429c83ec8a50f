"""The steps that a lane can ask for."""

from collections.abc import Sequence
from dataclasses import dataclass

from local.delivery.ports import Discarded
from local.delivery.records import Record


@dataclass(frozen=True, slots=True)
class Invoke:
    """Invoke the function with *records*, then call `Lane.answered`."""

    records: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Discard:
    """Send *discarded* to the on-failure destination, then call `Lane.sent` or `Lane.not_sent`.

    Without a destination, call `Lane.sent` at once.
    """

    discarded: Discarded


@dataclass(frozen=True, slots=True)
class Wait:
    """There is nothing to do before *until*, unless more records are offered."""

    until: float


@dataclass(frozen=True, slots=True)
class Idle:
    """There is nothing to do until more records are offered."""


Step = Invoke | Discard | Wait | Idle
