"""The steps of the demo, in their order. Each raises Failed if an expectation is not met."""

import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from local.checker import Expectation, item_values
from local.data import aircraft, catalogue, links, registry
from local.demo import churn, latency, mirror, outage, poison, searches, typesense
from local.demo.agreement import until_agreed
from local.demo.figures import Failed
from local.demo.scene import Fleet, Scene, now
from local.demo.settle import until_counts, until_documents
from local.demo.tables import image_of

FAA, FOREIGN, PICTURED = 1_000, 400, 250  # aircraft

_RENAMED, _DELETED = "groundswell-passive-headset", "control-tower-mug"


def clean(scene: Scene) -> None:
    """Delete the items and the open dead letters of an earlier run."""
    if found := scene.tables.clear():
        scene.screen.say(f"{found:,} items of an earlier run deleted")
    until_counts(scene.documents, dict.fromkeys(scene.stack.aliases, 0))
    mirror.clean(scene)
    if scene.with_typesense:
        until_counts(scene.collections, dict.fromkeys(scene.collected.aliases, 0))
    until_agreed(scene)
    scene.desk.clear("of an earlier run")


def load(scene: Scene) -> None:
    """Write all items to the tables, and wait until every sink has them."""
    rows = aircraft.rows()
    types, makers = aircraft.aircraft_types(rows), aircraft.manufacturers(rows)
    products = catalogue.products(now())
    scene.manufacturers = makers
    scene.products = {product["productId"]: product for product in products}
    scene.fleet = fleet = fleet_of(types, faa=FAA, foreign=FOREIGN, pictured=PICTURED)
    items = [*types, *makers, *products, *fleet.items]
    searchable = _expected(scene.expectation, items)
    collected = _expected(scene.collected, items)

    images = sum(map(len, fleet.images.values()))
    scene.screen.say(
        f"{len(types):,} aircraft types, {len(makers):,} manufacturers, {len(products):,} products,"
    )
    scene.screen.say(
        f"{len(fleet.registrations):,} registered aircraft, {len(fleet.links):,} links to types, "
        f"{images:,} images"
    )
    began = time.monotonic()
    with scene.screen.progress("written to the tables", len(items)) as advance:
        scene.tables.put_all(items, advance)
    written_s = time.monotonic() - began
    with scene.screen.progress("in OpenSearch", searchable.total()) as advance:
        until_counts(scene.documents, searchable, advance)
    searchable_s = time.monotonic() - began
    shown = f"{searchable.total():,} documents in OpenSearch after {searchable_s:.1f} s"
    if scene.with_typesense:
        with scene.screen.progress("in Typesense", collected.total()) as advance:
            until_counts(scene.collections, collected, advance)
        collected_s = time.monotonic() - began
        shown += f", {collected.total():,} in Typesense after {collected_s:.1f} s"
    until_agreed(scene)
    in_sync_s = time.monotonic() - began
    scene.figures.records_per_s = round(len(items) / in_sync_s, 1)
    scene.screen.say(shown)
    scene.screen.good(
        f"{len(items):,} items written in {written_s:.1f} s, every sink in step after "
        f"{in_sync_s:.1f} s: {scene.figures.records_per_s:,.0f} records/s"
    )


def fleet_of(types: list[dict[str, Any]], *, faa: int, foreign: int, pictured: int) -> Fleet:
    """A fleet of *faa* and *foreign* aircraft, *pictured* of them with images.

    *types* are the ICAO aircraft types.
    """
    ours, theirs = registry.faa(faa, types), registry.foreign(foreign)
    fleet = Fleet(
        registrations={one["registration"]: one for one in (*ours, *theirs)},
        links={link["SK"]: link for link in links.links(ours)},
    )
    half = pictured // 2
    for image in fleet.camera.album([*ours[:half], *theirs[:half]]):
        fleet.images.setdefault(image["PK"], []).append(image)
    return fleet


def _expected(expectation: Expectation, items: list[dict[str, Any]]) -> Counter[str]:
    """The number of documents that *items* should have, by alias."""
    expected = Counter[str]()
    for item in items:
        table = "products" if "productId" in item else "core"
        if pair := expectation.of(table, item_values(image_of(item))):
            expected[pair[0].alias] += 1
    return expected


def compare(scene: Scene) -> None:
    scene.check()


def change(scene: Scene) -> None:
    """Update one item and delete another, and wait until searches show both changes."""
    product = scene.products[_RENAMED]
    changes = {"name": "Groundswell Headset, Mark II", "price": Decimal("159.99")}
    gone = scene.products.pop(_DELETED)
    wanted = scene.tables.update(product, {**changes, "updated_at": now()})
    ref, document = wanted
    rows = [(n, product[n], document[n]) for n in changes]
    product |= {name: document[name] for name in ("name", "price", "updated_at")}
    deleted = scene.tables.delete(gone)
    began = time.monotonic()
    until_documents(scene.documents, [wanted, deleted])
    scene.screen.say(f"{ref}, as a search finds it:")
    scene.screen.table(["", "before", "after"], rows)
    scene.screen.good(
        f"the update is found, and {deleted[0].id} is not any more "
        f"({time.monotonic() - began:.1f} s)"
    )


def finish(scene: Scene) -> None:
    """Compare everything once more, after all changes and outages."""
    poison.no_more(scene)
    scene.screen.good(f"{scene.figures.parked_left} keys are parked, no dead letter is open")
    until_agreed(scene)
    scene.check()
    mirror.compare(scene)
    _recount(scene)
    _verify(scene)


def _verify(scene: Scene) -> None:
    """Run the service's own comparison of tables and sinks. Raises Failed for a difference."""
    sinks = ["opensearch", *(["typesense"] if scene.with_typesense else [])]
    differences = dict.fromkeys(sinks, 0)
    for sink in sinks:
        checked, cursor = 0, None
        while True:
            answer = scene.stack.command({"command": "verify", "sink": sink, "cursor": cursor})
            checked += answer["checked"]["items"] + answer["checked"]["documents"]
            differences[sink] += answer["missing"] + answer["extra"] + answer["different"]
            if (cursor := answer["cursor"]) is None:
                break
        scene.screen.say(
            f"verify: {checked:,} items and documents of {sink}, {differences[sink]} differ"
        )
    scene.figures.verify = {"differences": differences}
    if any(differences.values()):
        raise Failed("verify finds differences")


def _recount(scene: Scene) -> None:
    """Run the service's own recount of its counters. Raises Failed if it finds a difference."""
    checked, drift, cursor = 0, 0, None
    while True:
        answer = scene.stack.command({"command": "recount", "cursor": cursor})
        checked += answer["checked"]
        drift += len(answer["links"]) + len(answer["counters"])
        if (cursor := answer["cursor"]) is None:
            break
    scene.screen.say(f"recount: {checked:,} links and contributions checked, {drift} differ")
    if drift:
        raise Failed(f"recount finds {drift} links and counters that differ")


STEPS: Final[tuple[tuple[str, Callable[[Scene], None]], ...]] = (
    ("Start from empty tables", clean),
    ("Load the tables, and wait until every sink is in step", load),
    ("Compare every item with its documents, counters and default images", compare),
    ("Mirror a table of others, which has no models", mirror.run),
    ("Measure from write to searchable", latency.measure),
    ("Search OpenSearch", searches.run),
    ("Search Typesense, through its own client", typesense.search),
    ("Update one item, delete another", change),
    ("Write poison: what can never be a document; correct it, and replay", poison.run),
    ("Change links, images and registrations; Typesense goes and comes back", churn.run),
    ("Stop OpenSearch in mid-stream, start it again", outage.run),
    ("Compare again: nothing lost, nothing left over", finish),
)


def tell(scene: Scene) -> None:
    """Run every step in order. Raises Failed, or another LocalError, at the first failure."""
    for title, step in STEPS:
        if step is typesense.search and not scene.with_typesense:
            continue
        scene.screen.step(title)
        step(scene)
