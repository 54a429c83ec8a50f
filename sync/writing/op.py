"""Op: the state that one document should have. Outcome: what became of it in its sink."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from sync.aws.keys import Source
from sync.errors import Refused, Retry

Address = tuple[str, str, str]
"""Where a document is: sink name, target (index, collection or namespace) and id."""


@dataclass(frozen=True, slots=True)
class Op:
    """The state that a document should have: *body*, or None if it should not exist.

    Never a delta, so writing it is idempotent.
    """

    sink: str  # name of the sink
    source: Source  # the item that it is derived from
    target: str  # index, namespace or collection
    id: str
    body: bytes | None  # one line of JSON
    version: int  # orders the writes of one address, see sync/writing/versions.py
    since_s: float | None = None  # epoch seconds at which its key was first parked; None: never

    @property
    def address(self) -> Address:
        return self.sink, self.target, self.id


class Done(Enum):
    """How an op succeeded."""

    WRITTEN = "written"
    STALE = "stale"  # not written: the sink holds a newer version


Result = Done | Refused | Retry


class Outcome(NamedTuple):
    """An op with its result: Done, or the error because of which it was not written."""

    op: Op
    result: Result
