"""DynamoDB tables, and what becomes of their items."""

import base64
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from sync.aws.keys import AttributeMap
from tests.simulation.stream import Stream
from tests.simulation.world import World

Item = dict[str, dict[str, Any]]
Key = tuple[tuple[str, str, str], ...]

EXPIRED_S: Final = 2 * 86_400.0  # "within a few days" of its expiry an item is deleted
STALE_S: Final = 5.0  # how long an eventually consistent read may see what was before


def key_of(names: tuple[str, ...], item: AttributeMap) -> Key:
    """The key attributes of *item* as a value to look it up by."""
    return tuple((name, *next(iter(item[name].items()))) for name in names)


class Table:
    """Items by key, as stream records have them: binary values are base64 text.

    *index* names the hash and range key of a global secondary index, and *listed* what else it has
    of an item. *types* has the types of the key attributes, if only one will do. *ttl* names the
    attribute that says when an item expires; it is deleted within days of that, and *expired* told,
    if that is before *ttl_until*: AWS promises no time.
    """

    def __init__(
        self,
        world: World,
        name: str,
        names: tuple[str, ...],
        *,
        index: tuple[str, str] | None = None,
        listed: frozenset[str] = frozenset(),
        types: Mapping[str, str] | None = None,
        ttl: str | None = None,
        ttl_until: float = float("inf"),
        expired: Callable[[], object] = lambda: None,
    ) -> None:
        self.name = name
        self.names = names
        self.types: Mapping[str, str | None] = types or dict.fromkeys(names)
        self.index = index
        self.listed = listed
        self.items: dict[Key, Item] = {}
        self.gone = False  # deleted: every call answers ResourceNotFoundException
        self._world = world
        self._ttl = ttl
        self._ttl_until = ttl_until
        self._expired = expired
        self._before: dict[Key, tuple[float, Item | None]] = {}  # and when that ended
        self._busy: dict[Key, float] = {}

    def put(self, item: Item) -> None:
        self.set(key_of(self.names, item), item)

    def update(self, keys: Item, values: Item) -> None:
        """Set *values* in the item, which comes into being if there is none."""
        key = key_of(self.names, keys)
        self.set(key, {**self.items.get(key, keys), **values})

    def delete(self, keys: Item, *, expired: bool = False) -> None:
        """*expired*: by the table's TTL, as the record then says (DynamoDB guide, TTL)."""
        self.set(key_of(self.names, keys), None, expired=expired)

    def set(self, key: Key, new: Item | None, *, expired: bool = False) -> None:
        """The item of *key* is *new* from now on."""
        old = self.items.get(key)
        if old == new:
            return
        self._before[key] = self._world.now, old
        new = plain_copy(new)  # what the writer does with its item later, stays his
        if new is None:
            del self.items[key]
        else:
            self.items[key] = new
            if self._ttl in new:
                wait_s = max(0.0, self._expires_at(new) - self._world.now)
                wait_s += self._world.random.random() * EXPIRED_S
                if self._world.now + wait_s < self._ttl_until:
                    self._world.after(wait_s, partial(self._sweep, key))
        self._changed(key, old, new, expired=expired)

    def _sweep(self, key: Key) -> None:
        """Delete the item if it has expired, as TTL does (DynamoDB guide, TTL)."""
        item = self.items.get(key)
        if item is not None and self._ttl in item and self._expires_at(item) <= self._world.now:
            self._world.note("expired", self.name, key)
            self._expired()
            self.set(key, None, expired=True)

    def _expires_at(self, item: Item) -> float:
        return float(item[self._ttl or ""]["N"])

    def read(self, keys: Mapping[str, Mapping[str, Any]], *, consistent: bool) -> Item | None:
        """The item of *keys*, as it is or, if that will do, perhaps as it was a moment ago."""
        return self.seen(key_of(self.names, as_text(keys)), consistent=consistent)

    def seen(self, key: Key, *, consistent: bool) -> Item | None:
        """`read`, by the key as a value."""
        if not consistent and key in self._before:
            changed_at, old = self._before[key]
            if self._world.now < changed_at + STALE_S and self._world.random.random() < 0.5:
                return old
        return self.items.get(key)

    def rows(self, *, consistent: bool) -> Iterator[Item]:
        """Every item, `read` by itself."""
        for key in dict.fromkeys([*self.items, *self._before]):
            if (item := self.seen(key, consistent=consistent)) is not None:
                yield item

    def busy_s(self, key: Key) -> float:
        """How long a write of the item will still be under way, with which others conflict."""
        return max(0.0, self._busy.get(key, 0.0) - self._world.now)

    def occupy(self, key: Key, seconds: float) -> None:
        """A write of the item is under way for so long."""
        self._busy[key] = self._world.now + seconds

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items.values())

    def _changed(self, key: Key, old: Item | None, new: Item | None, *, expired: bool) -> None:
        """For what has to be told of a change; there is one."""


class Streamed(Table):
    """A table with a stream. What changes nothing makes no record (DynamoDB guide, Streams)."""

    def __init__(
        self,
        world: World,
        name: str,
        names: tuple[str, ...],
        stream: Stream,
        *,
        types: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(world, name, names, types=types)
        self.stream = stream

    def _changed(self, key: Key, old: Item | None, new: Item | None, *, expired: bool) -> None:
        keys = {name: {tag: value} for name, tag, value in key}
        self.stream.add(keys, old, new, expired=expired)


def as_bytes(value: Any) -> Any:
    """AttributeValues as boto3 has them: binary values are bytes."""
    if isinstance(value, dict):
        return {
            name: base64.b64decode(inner)
            if name == "B" and isinstance(inner, str)
            else [base64.b64decode(one) for one in inner]
            if name == "BS" and isinstance(inner, list)
            else as_bytes(inner)
            for name, inner in value.items()
        }
    return [as_bytes(inner) for inner in value] if isinstance(value, list) else value


def as_text(value: Any) -> Any:
    """AttributeValues as stream records have them: binary values are base64 text."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: as_text(inner) for name, inner in value.items()}
    return [as_text(inner) for inner in value] if isinstance(value, list) else value


def plain_copy(value: Any) -> Any:
    """A copy of what is made of dicts, lists and immutable values."""
    if isinstance(value, dict):
        return {name: plain_copy(inner) for name, inner in value.items()}
    return [plain_copy(inner) for inner in value] if isinstance(value, list) else value
