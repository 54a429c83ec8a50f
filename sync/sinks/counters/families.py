"""Families of counters: a model's file declares the family that counts its items."""

import json
from dataclasses import dataclass, fields
from typing import ClassVar, Final, Self
from urllib.parse import quote, unquote

from sync.aws.keys import MOST_SORT_KEY_BYTES
from sync.errors import Misconfigured, Refused, RegistryError
from sync.runtime.jsontext import strict


@dataclass(frozen=True)
class Counted:
    """What one counter counts. A subclass is a family of counters; its fields identify a counter.

        @dataclass(frozen=True)
        class Kind(Counted, target="kinds", partition="KINDS", prefix="KIND"):
            maker: str
            name: str

    *target* is the name that a model's `into` gives to the sink Counters. A counter is an item
    whose partition key is *partition* and whose sort key is *prefix* and the fields' values.
    """

    target: ClassVar[str]
    partition: ClassVar[str]
    prefix: ClassVar[str]

    def __init_subclass__(cls, *, target: str, partition: str, prefix: str) -> None:
        cls.target, cls.partition, cls.prefix = target, partition, prefix
        known = _FAMILIES.setdefault(target, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise RegistryError(f"two families of counters are called {target!r}")
        _FAMILIES[target] = cls

    @property
    def parts(self) -> dict[str, str]:
        """The values by field name."""
        return dict(vars(self))

    @property
    def sort_key(self) -> str:
        """`{prefix}#{part}#…`, each part percent-encoded."""
        return "#".join((self.prefix, *(quote(part, safe="") for part in self.parts.values())))

    @classmethod
    def at(cls, sort_key: str) -> Self:
        """What the counter with *sort_key* counts."""
        _, *parts = sort_key.split("#")
        return cls(*map(unquote, parts))

    def body(self) -> bytes:
        """The body of an op for an item that contributes to this counter, JSON."""
        return strict(self.parts).encode()

    @classmethod
    def read(cls, body: bytes) -> Self:
        """The counter that an op's body names. Raises Refused."""
        names = [field.name for field in fields(cls)]
        try:
            value = json.loads(body)
        except ValueError as error:
            raise Refused(f"the body is no JSON: {error}") from error
        if not isinstance(value, dict) or set(value) != set(names):
            raise Refused(f"the body must hold {', '.join(names)}, and nothing else")
        for name, part in value.items():
            if not isinstance(part, str) or not part:
                raise Refused(f"{name} must be a non-empty text")
        found = cls(**value)
        try:
            bytes_ = len(found.sort_key)
        except UnicodeEncodeError as error:
            raise Refused(f"the body holds a lone surrogate: {error.reason}") from error
        if bytes_ > MOST_SORT_KEY_BYTES:
            raise Refused(
                f"its counter's key would have {bytes_} bytes, over {MOST_SORT_KEY_BYTES}"
            )
        return found


_FAMILIES: Final[dict[str, type[Counted]]] = {}


def family(target: str) -> type[Counted]:
    """The family of counters called *target*. Raises Misconfigured where there is none."""
    try:
        return _FAMILIES[target]
    except KeyError:
        names = ", ".join(_FAMILIES)
        raise Misconfigured(f"no counters are called {target!r}, only {names}") from None
