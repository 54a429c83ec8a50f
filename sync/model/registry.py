"""Which model a record is of, by table and keys alone; more models barely cost more.

A pattern's literal beginning is looked up in a sorted list; only patterns whose beginning fits
are run as regular expressions. That is done for the hash key, then for the range key, so that a
thousand models under one hash key, or under one range key, cost what ten do.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from sync.aws.attributes import key_text
from sync.aws.keys import AttributeMap
from sync.errors import ConfigError, InvalidImage, RecordError, RegistryError
from sync.model.model import Model
from sync.model.patterns import CAN_PARSE, literal_prefix, samples
from sync.runtime.log import logger
from sync.writing.sink import Sink

T = TypeVar("T")

Keyed = tuple[type[Model], list[tuple[str, str]]]
"""A model, and of each key attribute the pattern and its literal beginning."""


class PrefixIndex(Generic[T]):
    """Values under prefixes; `find(text)` gives those whose prefix *text* begins with."""

    __slots__ = ("_chains", "_prefixes")

    def __init__(self, values: Mapping[str, T]) -> None:
        self._prefixes = sorted(values)
        # Beside each prefix: the prefixes it begins with itself, longest first. The sorted list
        # puts the longest fitting prefix at, or on the chain of, the entry before the text.
        self._chains: list[tuple[tuple[str, T], ...]] = []
        open_: list[tuple[str, T]] = []
        for prefix in self._prefixes:
            while open_ and not prefix.startswith(open_[-1][0]):
                open_.pop()
            open_.append((prefix, values[prefix]))
            self._chains.append(tuple(reversed(open_)))

    def find(self, text: str) -> Iterator[T]:
        at = bisect_right(self._prefixes, text)
        if at:
            for prefix, value in self._chains[at - 1]:
                if text.startswith(prefix):
                    yield value


@dataclass(frozen=True, slots=True)
class Pattern:
    """A model's key patterns, compiled."""

    model: type[Model]
    names: tuple[str, ...]
    matches: tuple[Any, ...]  # one fullmatch function a key
    is_fallback: bool

    def fits(self, texts: tuple[str, ...]) -> bool:
        return all(match(text) for match, text in zip(self.matches, texts, strict=True))


class _Table:
    """The models of one table, which all agree on its key attributes."""

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
    """The models of a service, by table and keys.

    Raises RegistryError where a model has no route, the models of a table disagree on its key
    attributes, two patterns are seen to overlap, or two sinks have one name.
    """

    def __init__(self, models: Iterable[type[Model]], stage: str) -> None:
        self.models = tuple(models)
        self._stage = stage
        tables: dict[str, list[type[Model]]] = {}
        for model in self.models:
            if model.route is None:
                raise RegistryError(f"{model.__name__} has no route")
            try:
                table = model.route.table.format(stage=stage)
            except (KeyError, IndexError, ValueError) as error:
                raise ConfigError(
                    f"{model.__name__}: bad table name {model.route.table!r}"
                ) from error
            tables.setdefault(table, []).append(model)
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
        """Each table's full name, with its key attributes, hash key first."""
        return {name: table.names for name, table in self._tables.items()}

    def feeding(self, sink: type[Sink]) -> Iterator[tuple[type[Model], str, str]]:
        """Each model that feeds *sink*, with its table's full name and its target."""
        for model in self.models:
            if model.route is not None and sink in model.route.into:
                table = model.route.table.format(stage=self._stage)
                yield model, table, model.route.into[sink]

    @property
    def sinks(self) -> Mapping[type[Sink], frozenset[str]]:
        """Each sink that a model feeds, with its targets."""
        found: dict[type[Sink], set[str]] = {}
        for model in self.models:
            for sink, target in (model.route.into if model.route else {}).items():
                found.setdefault(sink, set()).add(target)
        return {sink: frozenset(targets) for sink, targets in found.items()}

    def match(self, table: str, keys: AttributeMap) -> Pattern | None:
        """The one model whose patterns fit *keys* in full; None where no model wants them.

        Raises RecordError where *keys* is malformed, RegistryError where two models fit.
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
    """Refuse two of *models* that one key satisfies.

    Whether two regular expressions can meet is not decided in general: each pattern gives a few
    texts that it matches, and a text that both match proves the overlap. What this misses is
    quarantined at run time.
    """
    keyed = [
        (model, [(key, literal_prefix(key)) for key in model.route.keys.values()])
        for model in models
        if model.route is not None
    ]
    for (one, keys), (other, other_keys) in _neighbours(keyed) if keyed else ():
        witnesses = [_witness(*a, *b) for a, b in zip(keys, other_keys, strict=False)]
        if all(witness is not None for witness in witnesses):
            raise RegistryError(
                f"{table}: {one.__name__} and {other.__name__} both want {tuple(witnesses)}"
            )


def _neighbours(keyed: list[Keyed]) -> Iterator[tuple[Keyed, Keyed]]:
    """The pairs that could overlap: in one key attribute, one's literal beginning begins the
    other's. That attribute is the one which tells most models apart, so that pairs are few."""

    def begins(keyed_model: Keyed) -> str:
        return keyed_model[1][at][1]

    widths = [
        len({begin for _, begin in column})
        for column in zip(*(keys for _, keys in keyed), strict=True)
    ]
    at = widths.index(max(widths))
    ordered = sorted(keyed, key=begins)  # puts a text before all that it begins
    for position, one in enumerate(ordered):
        for other in islice(ordered, position + 1, None):
            if not begins(other).startswith(begins(one)):
                break
            yield one, other


def _witness(one: str, one_begins: str, other: str, other_begins: str) -> str | None:
    """A text that both patterns match, if one is found."""
    if not (one_begins.startswith(other_begins) or other_begins.startswith(one_begins)):
        return None
    return next(
        (text for text in (*samples(one), *samples(other)) if _both(one, other, text)), None
    )


def _both(one: str, other: str, text: str) -> bool:
    return bool(re.fullmatch(one, text, re.DOTALL) and re.fullmatch(other, text, re.DOTALL))
