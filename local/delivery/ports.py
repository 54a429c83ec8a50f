"""What the delivery rules need from the world: a clock, a reader, an invoker, a destination.

The local stack plugs in AWS clients (`aws.py`), a simulator whatever it likes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from local.delivery.records import Record


class Unreachable(Exception):
    """A part did not do what it was asked, and may next time; the message names it and why."""


class Clock(Protocol):
    """Time as seconds since the epoch, which never goes back."""

    def now(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard of the stream; *parent* is the shard it continues, None if it continues none."""

    id: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Records in stream order; *closed* if the shard will never have more."""

    records: Sequence[Record]
    closed: bool = False


class Reader(Protocol):
    """One mapping's way through the stream; raises Unreachable."""

    def shards(self) -> Sequence[ShardInfo]:
        """The shards that exist now, parents before their children.

        From the first call on, the mapping's starting position is taken: LATEST is then.
        """
        ...

    def read(self, shard_id: str) -> Page:
        """The records after those the last call returned."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """The function ran and returned *body*; *error* is Lambda's FunctionError: "Unhandled"."""

    body: bytes = b""
    error: str | None = None
    request_id: str | None = None
    status: int = 200
    version: str = "$LATEST"


@dataclass(frozen=True, slots=True)
class NotInvoked:
    """The function did not run, or nobody knows: throttled, unreachable, no answer."""

    reason: str


Result = Answered | NotInvoked


class Invoker(Protocol):
    """Calls the function with a batch and waits for its answer; raises only on a bug."""

    def invoke(self, records: Sequence[Record]) -> Result: ...


@dataclass(frozen=True, slots=True)
class Discarded:
    """Records given up for good, and the on-failure document that names them (page ER)."""

    records: Sequence[Record]
    document: dict[str, Any]


class Destination(Protocol):
    """Where discarded records are told of; raises Unreachable."""

    def send(self, discarded: Discarded) -> None: ...
