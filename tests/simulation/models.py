"""What is in the simulated tables, and what is expected of it in the sinks.

The models of the core table are the service's own; of three more, sinks without a model there get
theirs, and keys that are no text.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import quote

from pydantic import ConfigDict

from sync.aws.keys import AttributeMap
from sync.model.change import Change
from sync.model.fields import Keyword, Number, Object, Text
from sync.model.model import Model, route
from sync.model.registry import Registry
from sync.models.core.default_image import DefaultEntityImage, DefaultImageLookup
from sync.models.core.faa_link import FaaLink
from sync.models.core.faa_registry import FaaRegistration
from sync.models.core.foreign_registry import ForeignRegistration
from sync.models.core.icao_image import IcaoImage
from sync.models.core.icao_matcher import IcaoMatcher
from sync.models.core.registration_image import RegistrationImage
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense
from sync.writing.op import Op
from tests.simulation.plain import Plain

STAGE: Final = "sim"
CORE: Final = "stream-sync-sim-core"
PARTS: Final = "stream-sync-sim-parts"
CONTRIBUTIONS: Final = "stream-sync-sim-contributions"
TABLES: Final = {"core": CORE, "parts": PARTS}
KEY_TYPES: Final = {CORE: {"PK": "S", "SK": "S"}, PARTS: {"code": "B", "number": "N"}}
KEYS: Final = {CORE: ("PK", "SK"), PARTS: ("code", "number")}
LONGEST_ID: Final = 512
BUG: Final = "plan-fails"  # a title at which the plan of Article raises, until mended


class PlanBug(Exception):
    """A bug in a model."""


@route(
    "core",
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
    def plan(cls, change: Change[Any]) -> Iterator[Op]:
        if change.new is not None and BUG in change.new.title and not cls.mended:
            raise PlanBug(change.id)
        yield from super().plan(change)


@route(
    "core",
    PK="ARTICLE",
    SK=r"A#.+",
    into={OpenSearch: "articles", Plain: "articles"},
)
class ArticleBefore(Model):
    """What Article was in the release before, which knew no labels."""

    title: Text
    rank: Number | None = None

    @classmethod
    def plan(cls, change: Change[Any]) -> Iterator[Op]:
        if change.new is not None and BUG in change.new.title and not Article.mended:
            raise PlanBug(change.id)
        yield from super().plan(change)


@route("core", PK="SHELF", SK=r"S#.+", into={Plain: "shelves"})
class Shelf(Model):
    """Goes to the sink without versions alone."""

    title: Text
    rank: Number | None = None


@route(
    "parts",
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


class Size(Model):
    width: Number
    unit: Keyword | None = None


@route(
    "core",
    PK="CRATE",
    SK=r"C#.+",
    into={Typesense: "crates", Plain: "crates"},
)
class Crate(Model):
    """Is open: its documents have whatever attributes its items have."""

    model_config = ConfigDict(extra="allow")

    title: Text
    size: Size | None = None
    others: list[Size] | None = None


MODELS: Final[tuple[type[Model], ...]] = (
    Article,
    Shelf,
    Part,
    Crate,
    FaaRegistration,
    ForeignRegistration,
    RegistrationImage,
    IcaoImage,
    FaaLink,
    DefaultEntityImage,
    DefaultImageLookup,
    IcaoMatcher,
)
REGISTRY: Final = Registry(MODELS, TABLES)
REGISTRY_BEFORE: Final = Registry((ArticleBefore, *MODELS[1:]), TABLES)

# A second reading of the rules, which shares nothing with the models.


@dataclass(frozen=True, slots=True)
class Kind:
    """Items of one kind: *fields* of them stand in *target* of each of *sinks*.

    *proof* is the attribute in which generated items can be wrong: it has to be a text. Without
    *fields*, all do.
    """

    name: str
    sinks: tuple[str, ...]
    target: str
    fields: tuple[str, ...] | None
    proof: str


_KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("ARTICLE", ("opensearch", "plain"), "articles", ("title", "rank", "labels"), "title"),
        Kind("CRATE", ("typesense", "plain"), "crates", None, "title"),
        Kind("SHELF", ("plain",), "shelves", ("title", "rank"), "title"),
        Kind(
            "parts",
            ("opensearch", "plain"),
            "parts",
            ("title", "rank", "labels", "details"),
            "title",
        ),
        Kind(
            "AIRCRAFT#REGISTRY#FAA",
            ("typesense",),
            "registry",
            ("registration", "n_number", "name", "city", "other_names"),
            "n_number",
        ),
        Kind(
            "AIRCRAFT#REGISTRY#FOREIGN",
            ("typesense",),
            "registry",
            ("registration", "name", "model", "year_mfr"),
            "name",
        ),
        Kind(
            "SYSTEM's image of a registration",
            ("typesense",),
            "aircraft_images",
            ("org_id", "entity_type", "entity_id", "url", "caption", "width"),
            "caption",
        ),
        Kind("image", (), "", (), "caption"),
        Kind("FAA#LINKS", (), "", (), "model"),
    )
}

Place = tuple[str, str, str]
"""Sink, target and id."""


def kind_of(item: AttributeMap) -> Kind | None:
    """By its keys; None: nobody wants it, or this service has made it."""
    if "code" in item:
        return _KINDS["parts"]
    hash_, range_ = item["PK"]["S"], item["SK"]["S"]
    if hash_.startswith("IMAGES#"):
        if not range_.startswith("IMG#"):
            return None
        searched = hash_.startswith("IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#")
        return _KINDS["SYSTEM's image of a registration" if searched else "image"]
    return _KINDS.get(hash_)


def document_id(item: AttributeMap) -> str:
    if "code" in item:
        return f"{quote(item['code']['B'], safe='')}|{item['number']['N']}"
    id_ = "|".join(quote(item[name]["S"], safe="") for name in ("PK", "SK"))
    return id_ if len(id_) <= LONGEST_ID else hashlib.sha256(id_.encode()).hexdigest()


def expected(item: AttributeMap) -> dict[Place, Any]:
    """The documents that *item* has to be in the sinks."""
    kind = kind_of(item)
    if kind is None or not kind.sinks:
        return {}
    names = item if kind.fields is None else kind.fields
    document = {name: _plain(item[name]) for name in names if name in item}
    return {(sink, kind.target, document_id(item)): document for sink in kind.sinks}


def expected_before(item: AttributeMap) -> dict[Place, Any]:
    """… and what the release before, which knew no labels of articles, made of it."""
    kind = kind_of(item)
    if kind is None or kind.name != "ARTICLE":
        return expected(item)
    return expected({name: value for name, value in item.items() if name != "labels"})


def is_valid(item: AttributeMap) -> bool:
    """Whether a model takes *item*. The generated items can be wrong in one attribute, and images
    name another organisation than their keys."""
    kind = kind_of(item)
    if kind is None:
        return True
    if item.get("org_id", {}).get("S") != corrected(item, kind).get("org_id", {}).get("S"):
        return False
    return not item.get(kind.proof, {"S": ""}).keys().isdisjoint(("S", "NULL"))


def corrected(item: AttributeMap, kind: Kind) -> dict[str, dict[str, Any]]:
    """What makes *item* valid."""
    proof = {kind.proof: {"S": "!"}}
    if "org_id" not in item:
        return proof
    _, _, org, *_ = item["PK"]["S"].split("#")
    return {**proof, "org_id": {"S": org}}


def parsed(body: bytes | str) -> Any:
    """A document of a sink, its numbers exact."""
    return json.loads(body, parse_float=Decimal)


def _plain(av: Mapping[str, Any]) -> Any:
    ((tag, value),) = av.items()
    if tag == "N":
        return _number(value)
    if tag == "M":
        return {name: _plain(inner) for name, inner in value.items()}
    if tag == "L":
        return [_plain(inner) for inner in value]
    if tag in ("SS", "BS"):
        return sorted(value)
    if tag == "NS":
        return sorted(map(_number, value))
    return None if tag == "NULL" else value


def _number(text: str) -> int | Decimal:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number


def part_keys(code: bytes, number: int) -> dict[str, dict[str, Any]]:
    return {"code": {"B": base64.b64encode(code).decode()}, "number": {"N": str(number)}}


def core_keys(pk: str, sk: str) -> dict[str, dict[str, Any]]:
    return {"PK": {"S": pk}, "SK": {"S": sk}}
