"""What is in the simulated tables, and what is expected of it in the sinks."""

import base64
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import quote

from sync.change import Change, Planned
from sync.fields import Keyword, Number, Object, Text
from sync.model import Model, route
from sync.registry import Registry
from sync.sinks.opensearch import OpenSearch
from tests.simulation.plain import Plain

STAGE: Final = "sim"
CORE: Final = "stream-sync-sim-core"
PARTS: Final = "stream-sync-sim-parts"
KEYS: Final = {CORE: ("PK", "SK"), PARTS: ("code", "number")}
BUG: Final = "plan-fails"  # a title at which the plan of Article raises, until mended


class PlanBug(Exception):
    """A bug in a model."""


@route(
    "stream-sync-{stage}-core",
    PK="ARTICLE",
    SK=r"A#.+",
    into={OpenSearch: "articles", Plain: "articles"},
)
class Article(Model):
    """Goes to both sinks."""

    mended: ClassVar[bool] = False

    title: Text
    rank: Number | None = None
    labels: list[Keyword] | None = None

    @classmethod
    def plan(cls, change: Change[Any]) -> Iterator[Planned]:
        if change.new is not None and BUG in change.new.title and not cls.mended:
            raise PlanBug(change.id)
        yield from super().plan(change)


@route("stream-sync-{stage}-core", PK="SHELF", SK=r"S#.+", into={Plain: "shelves"})
class Shelf(Model):
    """Goes to the sink without versions alone."""

    title: Text
    rank: Number | None = None


@route(
    "stream-sync-{stage}-parts",
    code=r".*",
    number=r"\d+",
    into={OpenSearch: "parts", Plain: "parts"},
)
class Part(Model):
    """Has a binary and a numeric key."""

    title: Text
    rank: Number | None = None
    labels: list[Keyword] | None = None
    details: Object | None = None


MODELS: Final[tuple[type[Model], ...]] = (Article, Shelf, Part)
REGISTRY: Final = Registry(MODELS, STAGE)

# A second reading of the rules, which shares nothing with the models: fields by table and key.
_FIELDS: Final = {
    "ARTICLE": (("opensearch", "plain"), "articles", ("title", "rank", "labels")),
    "SHELF": (("plain",), "shelves", ("title", "rank")),
    "parts": (("opensearch", "plain"), "parts", ("title", "rank", "labels", "details")),
}

Place = tuple[str, str, str]
"""Sink, target and id."""


def expected(table: str, item: dict[str, dict[str, Any]]) -> dict[Place, Any]:
    """The documents that *item* has to be in the sinks."""
    if table == PARTS:
        kind = "parts"
        code = quote(item["code"]["B"], safe="")
        document_id = f"{code}|{item['number']['N']}"
    else:
        kind = item["PK"]["S"]
        document_id = "|".join(quote(item[name]["S"], safe="") for name in ("PK", "SK"))
    if kind not in _FIELDS:
        return {}
    sinks, target, names = _FIELDS[kind]
    document = {name: _plain(item[name]) for name in names if name in item}
    return {(sink, target, document_id): document for sink in sinks}


def is_valid(item: dict[str, dict[str, Any]]) -> bool:
    """Whether a model takes *item*; the generated items can be wrong in one way only."""
    return "S" in item.get("title", {})


def parsed(body: bytes) -> Any:
    """A document of a sink, its numbers exact."""
    return json.loads(body, parse_float=Decimal)


def _plain(av: dict[str, Any]) -> Any:
    ((tag, value),) = av.items()
    if tag == "N":
        number = Decimal(value)
        return int(number) if number == number.to_integral_value() else number
    if tag == "M":
        return {name: _plain(inner) for name, inner in value.items()}
    if tag == "L":
        return [_plain(inner) for inner in value]
    if tag == "SS":
        return sorted(value)
    return None if tag == "NULL" else value


def part_keys(code: bytes, number: int) -> dict[str, dict[str, Any]]:
    return {"code": {"B": base64.b64encode(code).decode()}, "number": {"N": str(number)}}


def core_keys(pk: str, sk: str) -> dict[str, dict[str, Any]]:
    return {"PK": {"S": pk}, "SK": {"S": sk}}
