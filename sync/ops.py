"""What a model says (Op), of which item (Source), and what a sink answers (Outcome)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from sync.errors import Refused, Retry

AttributeMap = Mapping[str, Mapping[str, Any]]
"""An item or key as DynamoDB writes it: `{"PK": {"S": "…"}}`."""


@dataclass(frozen=True, slots=True)
class Source:
    """The item an op speaks for: *table* is its full name, *keys* its key attributes."""

    table: str
    keys: AttributeMap

    def __hash__(self) -> int:  # dicts have none
        return hash(
            (self.table, frozenset((n, next(iter(av.values()))) for n, av in self.keys.items()))
        )

    def __str__(self) -> str:
        keys = ", ".join(f"{name}={next(iter(av.values()))}" for name, av in self.keys.items())
        return f"{self.table}({keys})"


@dataclass(frozen=True, slots=True)
class Op:
    """A statement of state: `target`/`id` now holds *body*; None: it holds nothing.

    Never a delta, so writing it twice leaves what writing it once does.
    """

    source: Source
    target: str  # index, namespace or collection
    id: str
    body: bytes | None  # one line of JSON
    version: int  # orders the writes of one id; sync/versions.py says how it is made
    since: float | None = None  # epoch seconds at which its key was first parked, if it was


class Done(Enum):
    """How an op ended well."""

    WRITTEN = "written"
    STALE = "stale"  # the sink holds something newer


class Outcome(NamedTuple):
    """What became of an op: done, or the error that says why not."""

    op: Op
    result: Done | Refused | Retry
