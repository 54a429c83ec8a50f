"""What a model says of one document (Op), and what a sink answers (Outcome)."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from sync.aws.keys import Source
from sync.errors import Refused, Retry


@dataclass(frozen=True, slots=True)
class Op:
    """A statement of state: `target`/`id` now holds *body*; None: it holds nothing.

    Never a delta, so writing it twice leaves what writing it once does.
    """

    source: Source
    target: str  # index, namespace or collection
    id: str
    body: bytes | None  # one line of JSON
    version: int  # orders the writes of one id; sync/writing/versions.py says how it is made
    since: float | None = None  # epoch seconds at which its key was first parked, if it was


class Done(Enum):
    """How an op ended well."""

    WRITTEN = "written"
    STALE = "stale"  # the sink holds something newer


class Outcome(NamedTuple):
    """What became of an op: done, or the error that says why not."""

    op: Op
    result: Done | Refused | Retry
