"""Waiting until what is made of registrations, links and images is as the tables say."""

from typing import Final

from local.checker import (
    TYPESENSE_MAPPINGS,
    TYPESENSE_PLACES,
    Expectation,
    check_counters,
    check_default_images,
    check_items,
)
from local.demo.scene import Scene
from local.demo.settle import QUIET_S, settle

_NAMED: Final = 3  # of what differs
_FLEET: Final = ("registry", "aircraft_images")
_PAUSE_S: Final = 1.0  # each look reads thousands of items


def until_agreed(scene: Scene, *, typesense: bool = True, quiet_s: float = QUIET_S) -> None:
    """Return once counters and default images are right, and Typesense unless it is left out.

    Raises Failed, with some of what differs, after *quiet_s* without progress.
    """
    places = [place for place in TYPESENSE_PLACES if place.alias in _FLEET]
    expectation = Expectation(TYPESENSE_MAPPINGS, places)
    differ: list[str] = []

    def left() -> int:
        items = scene.tables.fleet()
        differ[:] = [*check_counters(items).drift, *check_default_images(items).invalid]
        if typesense:
            report = check_items(items, scene.collections, expectation)
            differ.extend(f"{ref} in Typesense: missing" for ref in report.missing)
            differ.extend(f"{ref} in Typesense: of no item" for ref in report.extra)
            differ.extend(f"{ref} in Typesense: {what}" for ref, what in report.different)
        return len(differ)

    def describe() -> str:
        return f"{len(differ):,} differ, such as {'; '.join(differ[:_NAMED])}"

    settle(left, describe, quiet_s=quiet_s, pause_s=_PAUSE_S)
