"""Finds the model of a record by its table and keys, in a time that hardly grows with the models.

Patterns are indexed by their literal prefixes, first of the partition key, then of the sort key.
Only patterns whose prefixes match are run as regular expressions. So a thousand models with one
partition key, or with one sort key, cost a record about as much as ten.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from sync.aws.attributes import key_text
from sync.aws.keys import AttributeMap
from sync.errors import InvalidImage, RecordError, RegistryError
from sync.model.model import Model, Route
from sync.model.patterns import CAN_PARSE, literal_prefix, samples
from sync.runtime.log import logger
from sync.writing.sink import Sink

T = TypeVar("T")

Keyed = tuple[type[Model], list[tuple[str, str]]]
"""A model, with the pattern and the literal prefix of each key attribute."""


class PrefixIndex(Generic[T]):
    """Values by prefix."""

    __slots__ = ("_chains", "_prefixes")

    def __init__(self, values: Mapping[str, T]) -> None:
        self._prefixes = sorted(values)
        # The chain of a prefix: itself and the other prefixes that it begins with, longest first.
        # All prefixes of a text are in the chain of the last entry that does not sort after it.
        self._chains: list[tuple[tuple[str, T], ...]] = []
        open_: list[tuple[str, T]] = []
        for prefix in self._prefixes:
            while open_ and not prefix.startswith(open_[-1][0]):
                open_.pop()
            open_.append((prefix, values[prefix]))
            self._chains.append(tuple(reversed(open_)))

    def find(self, text: str) -> Iterator[T]:
        """The values whose prefix *text* begins with, longest prefix first."""
        at = bisect_right(self._prefixes, text)
        if at:
            for prefix, value in self._chains[at - 1]:
                if text.startswith(prefix):
                    yield value


@dataclass(frozen=True, slots=True)
class Pattern:
    """A model with its compiled key patterns; *names* are the key attributes."""

    model: type[Model]
    names: tuple[str, ...]
    matches: tuple[Any, ...]  # a fullmatch function for each key attribute
    is_fallback: bool

    def fits(self, texts: tuple[str, ...]) -> bool:
        """Whether the key attributes *texts* all match."""
        return all(match(text) for match, text in zip(self.matches, texts, strict=True))


class _Table:
    """The models of one table. Raises RegistryError if they disagree on its key attributes."""

    def __init__(self, name: str, models: list[type[Model]]) -> None:
        routes = {model: model.route for model in models if model.route is not None}
        names = {tuple(route.keys) for route in routes.values()}
        if len(names) > 1:
            raise RegistryError(f"{name}: its models disagree on the key attributes: {names}")
        self.names = names.pop()
        grouped: dict[str, dict[str, list[Pattern]]] = {}
        for model, route in routes.items():
            keys = list(route.keys.values())
            try:
                compiled = tuple(re.compile(key, re.DOTALL).fullmatch for key in keys)
            except re.error as error:
                raise RegistryError(f"{model.__name__}: bad key pattern: {error}") from error
            by_range = grouped.setdefault(literal_prefix(keys[0]), {})
            by_range.setdefault(literal_prefix(keys[-1]), []).append(
                Pattern(model, self.names, compiled, route.is_fallback)
            )
        self._index = PrefixIndex({p: PrefixIndex(ranges) for p, ranges in grouped.items()})

    def find(self, texts: tuple[str, ...]) -> list[Pattern]:
        """The patterns that match; a fallback only if no other matches."""
        found = [
            pattern
            for ranges in self._index.find(texts[0])
            for patterns in ranges.find(texts[-1])
            for pattern in patterns
            if pattern.fits(texts)
        ]
        if len(found) > 1:
            return [pattern for pattern in found if not pattern.is_fallback] or found
        return found


class Registry:
    """The *models* whose tables a stage has, by table and keys.

    *names*: the full name of each of its tables, by role. *off*: the sinks that it does without; a
    model that feeds no others is left out. Raises RegistryError if a model has no
    route, the models of a table disagree on its key attributes, patterns are found to overlap, or
    two sinks have the same name.
    """

    def __init__(
        self,
        models: Iterable[type[Model]],
        names: Mapping[str, str],
        off: Collection[str] = (),
    ) -> None:
        self._names = names
        self.off = frozenset(off)
        tables: dict[str, list[type[Model]]] = {}
        known = []
        for model in models:
            if model.route is None:
                raise RegistryError(f"{model.__name__} has no route")
            if model.route.table in names and not self._is_off(model.route):
                known.append(model)
                tables.setdefault(names[model.route.table], []).append(model)
        self.models = tuple(known)
        self._tables = {name: _Table(name, members) for name, members in tables.items()}
        if not CAN_PARSE:
            logger.warning("this Python's parser of patterns is unknown: overlaps are not refused")
        for name, members in tables.items():
            for fallback in (False, True):
                _refuse_overlaps(name, [m for m in members if _is_fallback(m) is fallback])
        kinds: dict[str, type[Sink]] = {}
        for kind in self.sinks:
            if kinds.setdefault(kind.name, kind) is not kind:
                raise RegistryError(f"two sinks are called {kind.name!r}")

    @property
    def tables(self) -> Mapping[str, tuple[str, ...]]:
        """The key attributes of each table, by its full name; partition key first."""
        return {name: table.names for name, table in self._tables.items()}

    def feeding(self, sink: type[Sink]) -> Iterator[tuple[type[Model], str, str]]:
        """Each model with documents in *sink*, with its table's full name and its target."""
        for model in self.models:
            if model.route is not None and sink in model.route.into and sink.name not in self.off:
                yield model, self._names[model.route.table], model.route.into[sink]

    @property
    def sinks(self) -> Mapping[type[Sink], frozenset[str]]:
        """Each sink of a model, with its targets."""
        found: dict[type[Sink], set[str]] = {}
        for model in self.models:
            for sink, target in (model.route.into if model.route else {}).items():
                if sink.name not in self.off:
                    found.setdefault(sink, set()).add(target)
        return {sink: frozenset(targets) for sink, targets in found.items()}

    def _is_off(self, route: Route) -> bool:
        return bool(route.into) and all(sink.name in self.off for sink in route.into)

    def match(self, table: str, keys: AttributeMap) -> Pattern | None:
        """The pattern that matches *keys* in full; None if no model's does.

        Raises RecordError if *keys* is malformed, RegistryError if several models match.
        """
        known = self._tables.get(table)
        if known is None:
            return None
        try:
            texts = tuple([key_text(keys[name]) for name in known.names])
        except KeyError as missing:
            raise RecordError(f"{table}: the key attribute {missing} is missing") from None
        except InvalidImage as error:
            raise RecordError(f"{table}: bad key: {error}") from error
        found = known.find(texts)
        if len(found) > 1:
            names = ", ".join(sorted(pattern.model.__name__ for pattern in found))
            raise RegistryError(f"{table}: {texts} is wanted by more than one model: {names}")
        return found[0] if found else None


def _is_fallback(model: type[Model]) -> bool:
    return model.route is not None and model.route.is_fallback


def _refuse_overlaps(table: str, models: list[type[Model]]) -> None:
    """Raise RegistryError if one key is found to match two of *models*.

    A few sample texts are made from each pattern; one that matches both patterns proves that they
    overlap. An overlap that no sample shows is found at run time: its records are dead letters.
    """
    keyed = [
        (model, [(key, literal_prefix(key)) for key in model.route.keys.values()])
        for model in models
        if model.route is not None
    ]
    for (one, keys), (other, other_keys) in _neighbours(keyed):
        witnesses = [_witness(*a, *b) for a, b in zip(keys, other_keys, strict=False)]
        if all(witness is not None for witness in witnesses):
            raise RegistryError(
                f"{table}: {one.__name__} and {other.__name__} both want {tuple(witnesses)}"
            )


def _neighbours(keyed: list[Keyed]) -> Iterator[tuple[Keyed, Keyed]]:
    """The pairs that could overlap: in one key attribute, one's prefix begins with the other's.

    That attribute is the one with the most different prefixes, so that pairs are few.
    """

    if not keyed:
        return

    def prefix(keyed_model: Keyed) -> str:
        return keyed_model[1][at][1]

    widths = [
        len({column_prefix for _, column_prefix in column})
        for column in zip(*(keys for _, keys in keyed), strict=True)
    ]
    at = widths.index(max(widths))
    ordered = sorted(keyed, key=prefix)  # a prefix sorts just before those that begin with it
    for position, one in enumerate(ordered):
        for other in islice(ordered, position + 1, None):
            if not prefix(other).startswith(prefix(one)):
                break
            yield one, other


def _witness(one: str, one_prefix: str, other: str, other_prefix: str) -> str | None:
    """A sample that both patterns match; None if there is none."""
    if not (one_prefix.startswith(other_prefix) or other_prefix.startswith(one_prefix)):
        return None
    return next(
        (text for text in (*samples(one), *samples(other)) if _both(one, other, text)), None
    )


def _both(one: str, other: str, text: str) -> bool:
    return bool(re.fullmatch(one, text, re.DOTALL) and re.fullmatch(other, text, re.DOTALL))
