"""Which item: a table's name and key attributes, as DynamoDB writes them and takes for equal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.aws.attributes import key_text
from sync.errors import InvalidImage

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
