"""What has to hold of the rows that the service derives: counters and default images.

Counted and looked up anew from the items alone; shares no code with the sinks.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from tests.simulation.invariants import NOBODY, Difference, Owner, Violated, owner
from tests.simulation.models import document_id, is_valid
from tests.simulation.table import Item, Streamed, Table

COUNTED: Final = ("type_designator", "manufacturer", "model")
LINKS: Final = "FAA#LINKS"
FAMILY: Final = "icao_entity_matcher"


def counts(core: Streamed, contributions: Table) -> Iterator[Difference]:
    """Where a contribution is not what its link says. Raises Violated where the counters are not
    what the contributions say: those change together, so that holds at any time."""
    wanted = {
        document_id(item): _counter(item) if is_valid(item) else None
        for item in core
        if item["PK"]["S"] == LINKS
    }
    owners = {
        document_id(keys): frozenset([owner(core.name, keys)])
        for keys in _keys(core)
        if keys["PK"]["S"] == LINKS
    }
    held: dict[str, str | None] = {}
    for row in contributions:
        family, _, link = row["id"]["S"].partition("#")
        if family != FAMILY or ("counter" in row) == ("expires_at" in row):
            raise Violated(f"no contribution: {row}")
        held[link] = row["counter"]["S"] if "counter" in row else None
    _tallied(core, (counter for counter in held.values() if counter), "contributions")
    for link in sorted({*wanted, *held}):
        if wanted.get(link) != held.get(link):
            what = f"contributes to {held.get(link)}, the table says {wanted.get(link)}"
            yield ("counters", FAMILY, link), what, owners.get(link, NOBODY)


def recounted(core: Streamed) -> None:
    """Raises Violated unless the counters are what the links say."""
    links = (_counter(item) for item in core if item["PK"]["S"] == LINKS)
    _tallied(core, (counter for counter in links if counter), "links")


def _tallied(core: Table, counters: Iterable[str], of: str) -> None:
    said = Tally(counters)
    held: dict[str, int] = {}
    for row in core:
        if row["PK"]["S"] == "ICAO#MATCHER":
            if row["SK"]["S"] != _counter(row):
                raise Violated(f"a counter of something else: {row}")
            held[row["SK"]["S"]] = int(row["count"]["N"])
    if held != said:
        raise Violated(f"counters hold {held}, the {of} come to {dict(said)}")


def _counter(item: Item) -> str | None:
    """The sort key of the counter of what *item* names; None where a name is missing or empty."""
    names = [item.get(name, {}).get("S", "") for name in COUNTED]
    if not all(names):
        return None
    return "#".join(["TYPE", *(quote(name, safe="") for name in names)])


def default_images(core: Streamed) -> Iterator[Difference]:
    """Where an entity's default row or its copy is missing, left over, or points to nothing."""
    owners: dict[str, set[Owner]] = {}
    for keys in _keys(core):
        if keys["SK"]["S"].startswith("IMG#"):
            owners.setdefault(keys["PK"]["S"], set()).add(owner(core.name, keys))
    images: dict[str, set[str]] = {}
    found: dict[str, dict[str, Mapping[str, Any]]] = {}  # by entity, pointer and copy
    for item in core:
        hash_, range_ = item["PK"]["S"], item["SK"]["S"]
        rest = {name: value for name, value in item.items() if name not in ("PK", "SK")}
        if range_.startswith("IMG#"):
            images.setdefault(hash_, set()).add(range_)
        elif hash_.startswith("IMAGES#"):
            found.setdefault(hash_, {})[range_] = rest
        elif hash_.startswith("DEFAULT_IMAGES#"):
            entity = f"{hash_.removeprefix('DEFAULT_')}#{range_}"
            found.setdefault(entity, {})["lookup"] = rest
    for entity in sorted({*images, *found}):
        what = _wrong(entity, images.get(entity, set()), found.get(entity, {}))
        if what:
            place = "default_image", "default_images", entity
            yield place, what, frozenset(owners.get(entity, ()))


def _wrong(entity: str, images: set[str], found: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What is wrong with what was *found* of an entity that has *images*."""
    if not images:
        return f"has no image, and still {found}" if found else None
    if found.keys() != {"DEFAULT", "lookup"}:
        return f"has images, but only {sorted(found)}"
    if found["DEFAULT"] != found["lookup"]:
        return f"its rows differ: {found}"
    _, _, org_id, _, entity_type, _, entity_id = entity.split("#", 6)
    pointer = dict(found["DEFAULT"])
    if pointer.pop("image", {}).get("S") not in images:
        return f"points to nothing: {found['DEFAULT']}"
    names = {"org_id": org_id, "entity_type": entity_type, "entity_id": entity_id}
    wanted = {name: {"S": value} for name, value in names.items()}
    return None if pointer == wanted else f"is of another entity: {pointer}"


def _keys(core: Streamed) -> Iterator[Item]:
    """The keys of every item that there ever was."""
    for event in core.stream.events:
        yield event["dynamodb"]["Keys"]
