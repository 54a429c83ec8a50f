"""The demo as it is told, step by step. Each raises Failed where it does not hold."""

import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from local import aircraft, catalogue
from local.checker import item_values
from local.demo import latency, outage, poison, searches
from local.demo.scene import Scene, now
from local.demo.settle import until_counts, until_documents
from local.demo.tables import image_of

_RENAMED, _DELETED = "groundswell-passive-headset", "control-tower-mug"


def clean(scene: Scene) -> None:
    """Begin with empty tables and no open dead letters, whatever an earlier run left."""
    if found := scene.tables.clear():
        scene.screen.say(f"{found:,} items of an earlier run deleted")
    until_counts(scene.documents, dict.fromkeys(scene.stack.aliases, 0))
    scene.desk.clear("of an earlier run")


def load(scene: Scene) -> None:
    """Write everything to the tables; in sync is when searches find as many documents."""
    rows = aircraft.rows()
    types, makers = aircraft.aircraft_types(rows), aircraft.manufacturers(rows)
    products = catalogue.products(now())
    scene.manufacturers = makers
    scene.products = {product["productId"]: product for product in products}
    items = [*types, *makers, *products]
    expected = Counter[str]()
    for item in items:
        table = "products" if "productId" in item else "core"
        pair = scene.expectation.of(table, item_values(image_of(item)))
        expected[pair[0].alias if pair else "no alias"] += 1

    scene.screen.say(
        f"{len(types):,} aircraft types, {len(makers):,} manufacturers, {len(products):,} products"
    )
    began = time.monotonic()
    with scene.screen.progress("written to the tables", len(items)) as advance:
        scene.tables.put_all(items, advance)
    written_s = time.monotonic() - began
    with scene.screen.progress("searchable", len(items)) as advance:
        until_counts(scene.documents, expected, advance)
    in_sync_s = time.monotonic() - began
    scene.figures.records_per_s = round(len(items) / in_sync_s, 1)
    scene.screen.good(
        f"{len(items):,} items written in {written_s:.1f} s, all searchable after "
        f"{in_sync_s:.1f} s: {scene.figures.records_per_s:,.0f} records/s"
    )


def compare(scene: Scene) -> None:
    scene.check()


def change(scene: Scene) -> None:
    """One update, one delete; each seen from the search side before and after."""
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
    """The comparison once more, after everything that happened."""
    poison.no_more(scene)
    scene.screen.good(f"{scene.figures.parked_left} keys are parked, no dead letter is open")
    scene.check()


STEPS: Final[tuple[tuple[str, Callable[[Scene], None]], ...]] = (
    ("Start from empty tables", clean),
    ("Load the tables, and wait until searches find everything", load),
    ("Compare every item with its document", compare),
    ("Measure from write to searchable", latency.measure),
    ("Search", searches.run),
    ("Update one item, delete another", change),
    ("Write poison: what can never be a document; correct it, and replay", poison.run),
    ("Stop OpenSearch in mid-stream, start it again", outage.run),
    ("Compare again: nothing lost, nothing left over", finish),
)


def tell(scene: Scene) -> None:
    """Every step in order. Raises Failed, or another LocalError, at the first that fails."""
    for title, step in STEPS:
        scene.screen.step(title)
        step(scene)
