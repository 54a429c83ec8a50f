"""Waits until every sink agrees with the registrations, links and images last written.

The checker then decides by itself, from the tables alone, whether everything is right.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from local.checker import (
    TYPESENSE_MAPPINGS,
    TYPESENSE_PLACES,
    Expectation,
    check_counters,
    check_items,
    item_values,
)
from local.demo.scene import Scene
from local.demo.settle import QUIET_S, settle
from local.demo.tables import image_of

_NAMED: Final = 3  # differences in a message
_FLEET: Final = ("registry", "aircraft_images")
_PAUSE_S: Final = 0.5  # each look itself slows the sinks for a part of a second


def until_agreed(scene: Scene, *, typesense: bool = True, quiet_s: float = QUIET_S) -> None:
    """Return once counters, default images and, with *typesense*, its documents are right.

    Call it while nobody writes. Raises Failed, with some of the differences, after *quiet_s*
    without progress.
    """
    places = [place for place in TYPESENSE_PLACES if place.alias in _FLEET]
    expectation = Expectation(TYPESENSE_MAPPINGS, places)
    items = [("core", item_values(image_of(item))) for item in scene.fleet.items]
    differ: list[str] = []

    def left() -> int:
        derived = scene.tables.derived()
        differ[:] = check_counters([*items, *(("core", row) for row in derived)]).drift
        differ.extend(_misplaced(scene.fleet.images, derived))
        if typesense and scene.with_typesense:
            report = check_items(items, scene.collections, expectation)
            differ.extend(f"{ref} in Typesense: missing" for ref in report.missing)
            differ.extend(f"{ref} in Typesense: of no item" for ref in report.extra)
            differ.extend(f"{ref} in Typesense: {what}" for ref, what in report.different)
        return len(differ)

    def describe() -> str:
        return f"{len(differ):,} differ, such as {'; '.join(differ[:_NAMED])}"

    settle(left, describe, quiet_s=quiet_s, pause_s=_PAUSE_S)


def _misplaced(
    albums: Mapping[str, list[dict[str, Any]]], derived: list[Mapping[str, Any]]
) -> Iterator[str]:
    """The entities whose default image, in the copy for readers, is none of their images."""
    shown = {
        f"{row['PK'].removeprefix('DEFAULT_')}#{row['SK']}": row.get("image")
        for row in derived
        if row["PK"].startswith("DEFAULT_IMAGES#")
    }
    for partition, album in albums.items():
        if shown.pop(partition, None) not in [image["SK"] for image in album]:
            yield f"{partition}: no default image, or one that is gone"
    yield from (f"{partition}: a default image, and no image" for partition in shown)
