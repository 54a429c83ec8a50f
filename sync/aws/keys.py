"""The identity of an item: table and key attributes, compared as DynamoDB compares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sync.aws.attributes import key_text
from sync.errors import InvalidImage

MOST_SORT_KEY_BYTES: Final = 1024  # DynamoDB, service quotas
AttributeMap = Mapping[str, Mapping[str, Any]]
"""An item or its key attributes as DynamoDB writes them: `{"PK": {"S": "…"}}`."""

Identity = tuple[tuple[str, str, str], ...]
"""Key attributes as sorted (name, type, canonical text)."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """An item of the table whose full name is *table*, by its key attributes *keys*.

    Two are equal if DynamoDB finds the same item: the numbers 1000 and 1E3 are one key.
    """

    table: str
    keys: AttributeMap
    _identity: Identity | None = field(default=None, init=False, repr=False)

    @property
    def identity(self) -> Identity:
        """What `identity` says of the keys; found once, as a resync compares a source ten times."""
        if (known := self._identity) is None:
            known = identity(self.keys)
            object.__setattr__(self, "_identity", known)  # the class is frozen to others
        return known

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Source):
            return NotImplemented
        return self is other or (self.table == other.table and self.identity == other.identity)

    def __hash__(self) -> int:
        return hash((self.table, self.identity))

    def __str__(self) -> str:
        keys = ", ".join(f"{name}={next(iter(av.values()))}" for name, av in self.keys.items())
        return f"{self.table}({keys})"


def keys_in(value: Any) -> AttributeMap | None:
    """*value* if it is the well-formed key attributes of an item; None for anything else."""
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
    """*keys* as a value that can be compared and hashed. Raises InvalidImage.

    Equal for keys of one item, whatever their order and the spelling of numbers and base64.
    """
    return tuple(sorted((name, next(iter(av)), key_text(av)) for name, av in keys.items()))


def canonical(keys: AttributeMap) -> AttributeMap:
    """*keys* in canonical form: numbers in plain decimal. Raises InvalidImage."""
    return {name: {tag: text} for name, tag, text in identity(keys)}
