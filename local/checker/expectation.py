"""The document that an item should have, and its id."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

from local.checker.values import Unreadable

_MAPPINGS: Final = Path(__file__).parent.parent.parent / "mappings"
MAPPINGS: Final = _MAPPINGS / "opensearch"
TYPESENSE_MAPPINGS: Final = _MAPPINGS / "typesense"


class Ref(NamedTuple):
    """A document's address."""

    alias: str
    id: str

    def __str__(self) -> str:
        return f"{self.alias}/{self.id}"


@dataclass(frozen=True, slots=True)
class Place:
    """The items that belong to *alias*: those of *table* whose keys match *keys* in full.

    *table* is the short name (core, products). *keys* has a pattern for each key, hash key first.
    """

    alias: str
    table: str
    keys: Mapping[str, str]


_AIRCRAFT: Final = Place("icao_aircraft", "core", {"PK": "ICAO#AIRCRAFT", "SK": "TYPE#.+"})
_MAKERS: Final = Place("icao_manufacturers", "core", {"PK": "ICAO#MANUFACTURERS", "SK": "MFR#.+"})
PLACES: Final = (_AIRCRAFT, _MAKERS, Place("products", "products", {"productId": ".+"}))
TYPESENSE_PLACES: Final = (
    _AIRCRAFT,
    _MAKERS,
    Place("registry", "core", {"PK": "AIRCRAFT#REGISTRY#(FAA|FOREIGN)", "SK": "DETAIL#.+"}),
    Place(
        "aircraft_images",
        "core",
        {"PK": "IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#.+", "SK": "IMG#.*"},
    ),
)


def document_id(keys: Iterable[Any]) -> str:
    """The document id for these key values: percent-encoded, joined by `|`, hashed if too long."""
    texts = (format(key, "f") if isinstance(key, Decimal) else str(key) for key in keys)
    joined = "|".join(quote(text, safe="") for text in texts)
    return joined if len(joined) <= 512 else hashlib.sha256(joined.encode()).hexdigest()


class Expectation:
    """The documents that OpenSearch (or Typesense, see `of_typesense`) should have.

    `<alias>.json` in the folder *mappings* names the attributes that a document has. Raises
    Unreadable if such a file is missing or declares no field.
    """

    def __init__(self, mappings: Path = MAPPINGS, places: Iterable[Place] = PLACES) -> None:
        self.places = tuple(places)
        self._fields = {place.alias: _declared(mappings, place.alias) for place in self.places}

    @classmethod
    def of_typesense(cls) -> Self:
        return cls(TYPESENSE_MAPPINGS, TYPESENSE_PLACES)

    @property
    def aliases(self) -> list[str]:
        """Every alias once, even if several kinds of items share it."""
        return list(self._fields)

    def of(self, table: str, item: Mapping[str, Any]) -> tuple[Ref, dict[str, Any]] | None:
        """The address and the document of *item* (see item_values); None if it has none.

        *table* is the short name.
        """
        for place in self.places:
            if place.table == table and all(
                re.fullmatch(pattern, str(item.get(name, "")), re.DOTALL)
                for name, pattern in place.keys.items()
            ):
                ref = Ref(place.alias, document_id(item[name] for name in place.keys))
                fields = self._fields[place.alias]
                return ref, {name: value for name, value in item.items() if name in fields}
        return None


def _declared(mappings: Path, alias: str) -> frozenset[str]:
    path = mappings / f"{alias}.json"
    try:
        mapping = json.loads(path.read_text(encoding="utf-8"))
        if "fields" in mapping:  # a mapping of Typesense; `a.b` is part of the attribute a
            fields = frozenset(field["name"].split(".")[0] for field in mapping["fields"])
        else:
            fields = frozenset(mapping["mappings"]["properties"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"mapping file {path}: {type(error).__name__}: {error}") from error
    if not fields:
        raise Unreadable(f"mapping file {path} declares no field")
    return fields
