"""What the delivery rules need: a clock, a reader, an invoker, a destination.

The local stack uses AWS clients (`aws.py`), the simulator objects of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from local.delivery.records import Record


class Unreachable(Exception):
    """A call failed, and may succeed when made again; the message says what failed and why."""


class Clock(Protocol):
    """Time in seconds since the epoch; it never goes back."""

    def now(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard of the stream. *parent* is the shard that it continues, if there is one."""

    id: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records in the order of the stream; *closed* means that the shard gets no more."""

    records: Sequence[Record]
    closed: bool = False


class Reader(Protocol):
    """Reads one mapping's stream; raises Unreachable."""

    def shards(self) -> Sequence[ShardInfo]:
        """The shards that exist now, parents before their children.

        The first call fixes the starting position: LATEST means the time of that call.
        """
        ...

    def read(self, shard_id: str) -> Page:
        """The records that follow those of the last call."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """The function ran and returned *body*. *error* is Lambda's FunctionError, e.g. "Unhandled"."""

    body: bytes = b""
    error: str | None = None
    request_id: str | None = None
    status: int = 200
    version: str = "$LATEST"


@dataclass(frozen=True, slots=True)
class NotInvoked:
    """The function did not run, or it is not known whether it did: throttled, no answer."""

    reason: str


Result = Answered | NotInvoked


class Invoker(Protocol):
    """Invokes the function with a batch and waits for its answer. Raises only for a bug."""

    def invoke(self, records: Sequence[Record]) -> Result: ...


@dataclass(frozen=True, slots=True)
class Discarded:
    """Records that were given up, and the on-failure document that names them (page ER)."""

    records: Sequence[Record]
    document: dict[str, Any]


class Destination(Protocol):
    """Gets the on-failure documents; raises Unreachable."""

    def send(self, discarded: Discarded) -> None: ...
