"""What a model says of one document (Op), and what a sink answers (Outcome)."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from sync.aws.keys import Source
from sync.errors import Refused, Retry

Address = tuple[str, str, str]
"""Where a document is: the name of a sink, a target there (index, collection …), and an id."""


@dataclass(frozen=True, slots=True)
class Op:
    """A statement of state: in *sink*, `target`/`id` now holds *body*; None: it holds nothing.

    Never a delta, so writing it twice leaves what writing it once does.
    """

    sink: str  # its name
    source: Source  # the item that it follows from
    target: str  # index, namespace or collection
    id: str
    body: bytes | None  # one line of JSON
    version: int  # orders the writes of one address; sync/writing/versions.py says how it is made
    since_s: float | None = None  # epoch seconds at which its key was first parked, if it was

    @property
    def address(self) -> Address:
        return self.sink, self.target, self.id


class Done(Enum):
    """How an op ended well."""

    WRITTEN = "written"
    STALE = "stale"  # the sink holds something newer


Result = Done | Refused | Retry


class Outcome(NamedTuple):
    """What became of an op: done, or the error that says why not."""

    op: Op
    result: Result
