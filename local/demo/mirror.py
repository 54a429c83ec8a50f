"""Mirrors a table that the stack did not make, and that has no models."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Final

from local import outside
from local.checker import Mirrored, MirrorExpectation, check, item_values, scan
from local.data import Item, aircraft
from local.demo.figures import Failed
from local.demo.scene import Scene
from local.demo.settle import until_counts
from local.demo.tables import image_of

ROWS: Final = 3_000  # of the list
_CHANGED, _DELETED = slice(0, 200), slice(200, 300)
_TABLE: Final = Mirrored(outside.NAME, tuple(outside.KEYS))


def clean(scene: Scene) -> None:
    """Delete the items of an earlier run."""
    _delete(scene, [item_values(item) for item in scan(scene.tables.dynamodb, outside.NAME)])
    until_counts(scene.documents, {_TABLE.alias: 0})


def run(scene: Scene) -> None:
    """Write items of every shape, change and delete some, and compare all with their documents.

    Raises Failed for any difference.
    """
    keys = ", ".join(f"{name} ({kind})" for name, kind in outside.KEYS.items())
    scene.screen.say(f"{outside.NAME}: made outside the stack, attached; its keys are {keys}")
    items = list(_items())
    with scene.screen.progress("written to the table", len(items)) as advance:
        _put(scene, items, advance)
    until_counts(scene.documents, {_TABLE.alias: len(items)})
    _put(scene, [{**item, "engines": Decimal("2.5"), "checked": True} for item in items[_CHANGED]])
    _delete(scene, items[_DELETED])
    until_counts(scene.documents, {_TABLE.alias: len(items) - len(items[_DELETED])})
    compare(scene)


def compare(scene: Scene) -> None:
    """Compare every item with its document, and keep the figures. Raises Failed."""
    report = check(
        scene.tables.dynamodb,
        {outside.ROLE: outside.NAME},
        scene.documents,
        MirrorExpectation({outside.ROLE: _TABLE}),
    )
    scene.figures.mirror = {"documents": report.documents, "mismatches": report.mismatches}
    if not report.equal:
        raise Failed(f"{outside.NAME} and its mirror differ: {report.mismatches:,} mismatches")
    scene.screen.good(
        f"{report.documents:,} items of {outside.NAME} mirrored, compared: no difference"
    )


def _items() -> Iterator[Item]:
    """Rows of ICAO Doc 8643, in the shapes that somebody might give them."""
    for number, row in enumerate(aircraft.rows()[:ROWS]):
        count = row["Engine N°"]
        yield {
            "name": f"{row['Manufacturer']} {row['Model']}",
            "created": number,
            "message": row["Description"],
            "engines": int(count) if count.isdigit() else None,
            "engine": {"type": row["Engine Type"], "count": count},
            "codes": [row["ICAO Designator"], number, number % 2 == 0],
            "words": set(row["Model"].split()) or None,
            "_id": row["ICAO Designator"],
            "checksum": sha256(row["Model"].encode()).digest(),
        }


def _put(scene: Scene, items: list[Item], done: Callable[[int], None] = lambda _: None) -> None:
    scene.tables.send(
        [(outside.NAME, {"PutRequest": {"Item": image_of(item)}}) for item in items], done
    )


def _delete(scene: Scene, items: Sequence[Item]) -> None:
    keys = [image_of({key: item[key] for key in outside.KEYS}) for item in items]
    scene.tables.send([(outside.NAME, {"DeleteRequest": {"Key": key}}) for key in keys])
