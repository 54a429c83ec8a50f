"""Compares every item of the tables with its document. Shares no code with `sync/`.

What the service promises is written down here a second time, from SPEC.md and DESIGN.md alone, so
that a mistake in the codec, in the ids or in the versions can't hide in code that both sides use.
Values come through boto3's own TypeDeserializer and through `json` with exact numbers.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from boto3.dynamodb.types import Binary, TypeDeserializer

from local.errors import LocalError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAPPINGS: Final = Path(__file__).parent.parent / "mappings" / "opensearch"
_PAGE: Final = 2_000  # documents in one answer
_TIMEOUT_S: Final = 60
_LONGEST_VALUE: Final = 60  # characters of a value shown in a difference
_read_attribute: Final = TypeDeserializer().deserialize


class Unreadable(LocalError):
    """A table, a mapping file or OpenSearch could not be read; the message says which and why."""


class Ref(NamedTuple):
    """A document's address."""

    alias: str
    id: str

    def __str__(self) -> str:
        return f"{self.alias}/{self.id}"


@dataclass(frozen=True, slots=True)
class Place:
    """Which items belong into *alias*: those of *table* whose keys match in full.

    *table* is the short name (core, products); *keys* gives each key's pattern, hash key first.
    """

    alias: str
    table: str
    keys: Mapping[str, str]


PLACES: Final = (
    Place("icao_aircraft", "core", {"PK": "ICAO#AIRCRAFT", "SK": "TYPE#.+"}),
    Place("icao_manufacturers", "core", {"PK": "ICAO#MANUFACTURERS", "SK": "MFR#.+"}),
    Place("products", "products", {"productId": ".+"}),
)


@dataclass(frozen=True, slots=True)
class Members:
    """A DynamoDB set: its document holds each member once, in any order."""

    values: tuple[Any, ...]


def item_values(image: Mapping[str, Any]) -> dict[str, Any]:
    """An item as DynamoDB's client gives it (`{"price": {"N": "1"}}`), as values to compare."""
    return {name: _value(_read_attribute(attribute)) for name, attribute in image.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Binary):
        return base64.b64encode(value.value).decode()  # type: ignore[attr-defined]  # stubs lack it
    if isinstance(value, set):
        return Members(tuple(_value(member) for member in value))
    if isinstance(value, list):
        return [_value(member) for member in value]
    if isinstance(value, dict):
        return {name: _value(member) for name, member in value.items()}
    return value


def document_id(keys: Iterable[Any]) -> str:
    """The id of the item with these key values: percent-encoded, joined by `|`; hashed if long."""
    texts = (format(key, "f") if isinstance(key, Decimal) else str(key) for key in keys)
    joined = "|".join(quote(text, safe="") for text in texts)
    return joined if len(joined) <= 512 else hashlib.sha256(joined.encode()).hexdigest()


class Expectation:
    """What OpenSearch should hold, by what the tables hold.

    *mappings* is the folder whose `<alias>.json` says which attributes a document has. Raises
    Unreadable for a mapping file that is missing or declares nothing.
    """

    def __init__(self, mappings: Path = MAPPINGS, places: Iterable[Place] = PLACES) -> None:
        self.places = tuple(places)
        self._fields = {place.alias: _declared(mappings, place.alias) for place in self.places}

    def of(self, table: str, item: Mapping[str, Any]) -> tuple[Ref, dict[str, Any]] | None:
        """The document of *item* (see item_values), or None where it has none.

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
        fields = frozenset(json.loads(path.read_text(encoding="utf-8"))["mappings"]["properties"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"mapping file {path}: {type(error).__name__}: {error}") from error
    if not fields:
        raise Unreadable(f"mapping file {path} declares no field")
    return fields


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """How *actual*, out of a document, differs from *expected*, out of an item; one text each."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        dot = f"{path}." if path else ""
        for name in sorted(expected.keys() | actual.keys()):
            if name not in actual:
                yield f"{dot}{name}: not in the document"
            elif name not in expected:
                yield f"{dot}{name}: only in the document"
            else:
                yield from differences(expected[name], actual[name], f"{dot}{name}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (ours, theirs) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(ours, theirs, f"{path}[{index}]")
    elif not _equal(expected, actual):
        yield f"{path}: {_show(expected)} in the table, {_show(actual)} in the document"


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, Members):
        if not isinstance(actual, list) or len(actual) != len(expected.values):
            return False
        left = list(actual)
        for member in expected.values:
            found = next((n for n, other in enumerate(left) if _equal(member, other)), None)
            if found is None:
                return False
            del left[found]
        return True
    # type() and not ==, since Python holds True equal to 1; Decimal("1") equals Decimal("1.0").
    return type(expected) is type(actual) and bool(expected == actual)


def _show(value: Any) -> str:
    if isinstance(value, Members):
        value = sorted(map(str, value.values))
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


class Documents:
    """Reads an OpenSearch at *url* with the standard library alone; numbers come exact."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._address = urlsplit(url).netloc

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer. Raises Unreadable naming the request and what came instead."""
        connection = HTTPConnection(self._address, timeout=_TIMEOUT_S)
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body, default=_json_number).encode(),
                headers={"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            text = answer.read().decode()
        except (OSError, HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"
            raise Unreadable(f"{method} {self.url}{path}: {reason}") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise Unreadable(f"{method} {self.url}{path}: {answer.status}: {text[:300]}")
        return exact_json(text)

    def search(self, alias: str, body: Mapping[str, Any]) -> Any:
        """The answer to one search, as far as it has been refreshed."""
        return self.request("POST", f"/{alias}/_search", body)

    def count(self, alias: str) -> int:
        """Documents that a search would find now."""
        return int(self.request("GET", f"/{alias}/_count")["count"])

    def get(self, refs: Iterable[Ref]) -> dict[Ref, Any]:
        """The documents at *refs* that a search finds now."""
        by_alias: dict[str, list[str]] = {}
        for ref in refs:
            by_alias.setdefault(ref.alias, []).append(ref.id)
        found: dict[Ref, Any] = {}
        for alias, ids in by_alias.items():
            for start in range(0, len(ids), _PAGE):
                page = ids[start : start + _PAGE]
                answer = self.search(alias, {"query": {"ids": {"values": page}}, "size": len(page)})
                for hit in answer["hits"]["hits"]:
                    found[Ref(alias, hit["_id"])] = hit["_source"]
        return found

    def all(self, alias: str) -> Iterator[tuple[str, Any]]:
        """Every document behind *alias* with its id, refreshed first. Raises Unreadable."""
        self.request("POST", f"/{alias}/_refresh")
        answer = self.request(
            "POST",
            f"/{alias}/_search?scroll=1m",
            {"size": _PAGE, "sort": ["_doc"], "track_total_hits": True},
        )
        expected, seen = int(answer["hits"]["total"]["value"]), 0
        while hits := answer["hits"]["hits"]:
            for hit in hits:
                seen += 1
                yield hit["_id"], hit["_source"]
            more = {"scroll": "1m", "scroll_id": answer["_scroll_id"]}
            answer = self.request("POST", "/_search/scroll", more)
        self.request("DELETE", "/_search/scroll", {"scroll_id": answer["_scroll_id"]})
        if seen != expected:
            raise Unreadable(f"{alias}: {expected} documents by its own count, {seen} read")


def exact_json(text: str) -> Any:
    """JSON with every number as the Decimal it is written as."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=str)


def _json_number(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)  # a search compares doubles; documents are never written here
    raise TypeError(f"{type(value).__name__} is not a value to search for")


@dataclass(slots=True)
class Report:
    """What a comparison found: counts, addresses and differing fields, never whole documents."""

    items: int = 0  # that should have a document
    unplaced: int = 0  # that should have none
    documents: int = 0
    compared: dict[str, int] = field(default_factory=dict)  # pairs, by alias
    missing: list[Ref] = field(default_factory=list)
    extra: list[Ref] = field(default_factory=list)
    different: list[tuple[Ref, str]] = field(default_factory=list)

    @property
    def mismatches(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.different)

    @property
    def empty(self) -> list[str]:
        """The aliases of which not one pair was compared."""
        return [alias for alias, pairs in self.compared.items() if pairs == 0]

    @property
    def equal(self) -> bool:
        """True only where every alias had something to compare, and all of it was the same."""
        return self.mismatches == 0 and bool(self.compared) and not self.empty


def compare(
    expected: Mapping[Ref, Any], documents: Iterable[tuple[Ref, Any]], aliases: Iterable[str]
) -> Report:
    """Hold *documents* against *expected*; *aliases* must each have at least one pair."""
    report = Report(items=len(expected), compared=dict.fromkeys(aliases, 0))
    waiting = dict(expected)
    for ref, document in documents:
        report.documents += 1
        if ref not in waiting:  # of no item, or a second one of the same id
            report.extra.append(ref)
            continue
        report.compared[ref.alias] = report.compared.get(ref.alias, 0) + 1
        if found := "; ".join(differences(waiting.pop(ref), document)):
            report.different.append((ref, found))
    report.missing.extend(waiting)
    return report


def check(
    dynamodb: "DynamoDBClient",
    tables: Mapping[str, str],
    documents: Documents,
    expectation: Expectation,
) -> Report:
    """Scan *tables* (short name → full name) and hold every item against its document.

    Meant for a moment at which nobody writes. Raises Unreadable.
    """
    expected: dict[Ref, Any] = {}
    unplaced = 0
    twice: list[tuple[Ref, str]] = []
    for short, full in tables.items():
        for item in scan(dynamodb, full):
            pair = expectation.of(short, item_values(item))
            if pair is None:
                unplaced += 1
            elif pair[0] in expected:
                twice.append((pair[0], "two items have this document"))
            else:
                expected[pair[0]] = pair[1]
    aliases = [place.alias for place in expectation.places]
    found = ((Ref(alias, id_), source) for alias in aliases for id_, source in documents.all(alias))
    report = compare(expected, found, aliases)
    report.items += len(twice)
    report.unplaced = unplaced
    report.different.extend(twice)
    return report


def scan(dynamodb: "DynamoDBClient", table: str) -> Iterator[Mapping[str, Any]]:
    """Every item of *table*, read consistently, as the client gives it."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]
