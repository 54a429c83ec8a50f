"""What a model says (Op), of which item (Source), and what a sink answers (Outcome)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from sync.attributes import key_text
from sync.errors import InvalidImage, Refused, Retry

AttributeMap = Mapping[str, Mapping[str, Any]]
"""An item or key as DynamoDB writes it: `{"PK": {"S": "…"}}`."""


Identity = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The item an op speaks for: *table* is its full name, *keys* its key attributes.

    Two are equal where DynamoDB takes them for one item: it finds the item of 1000 under 1E3 too.
    """

    table: str
    keys: AttributeMap

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Source):
            return NotImplemented
        return self.table == other.table and identity(self.keys) == identity(other.keys)

    def __hash__(self) -> int:
        return hash((self.table, identity(self.keys)))

    def __str__(self) -> str:
        keys = ", ".join(f"{name}={next(iter(av.values()))}" for name, av in self.keys.items())
        return f"{self.table}({keys})"


def keys_in(value: Any) -> AttributeMap | None:
    """*value*, which may be anything, if it can be the key attributes of an item; else None."""
    if not isinstance(value, dict) or not 1 <= len(value) <= 2:
        return None
    try:
        for name, av in value.items():
            ((tag, text),) = av.items()
            name.encode()
            if tag not in ("S", "N", "B") or not isinstance(text, str) or not key_text(av):
                return None
    except (InvalidImage, AttributeError, TypeError, ValueError):
        return None
    return value


def identity(keys: AttributeMap) -> Identity:
    """Key attributes as a value that can be compared and hashed: equal for the keys of one item,
    in whatever order they stand and however a number or base64 is written. Raises InvalidImage."""
    return tuple(sorted((name, next(iter(av)), key_text(av)) for name, av in keys.items()))


def canonical(keys: AttributeMap) -> AttributeMap:
    """*keys* as DynamoDB writes them: numbers in plain decimal. Raises InvalidImage."""
    return {name: {tag: text} for name, tag, text in identity(keys)}


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
