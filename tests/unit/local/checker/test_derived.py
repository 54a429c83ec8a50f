"""The checker counts links and images anew, and tells whatever was planted beside the truth."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from local.checker import check_counters, check_default_images

Item = dict[str, Any]

NAMES = {"type_designator": "P28A", "manufacturer": "PIPER", "model": "Archer #3"}
OTHER = {"type_designator": "B06", "manufacturer": "BELL", "model": "206A/B"}
ENTITY = "IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1#A"
OLD, NEW = "IMG#2024-01-01T00:00:00Z#a", "IMG#2025-01-01T00:00:00Z#b"


def of_core(items: list[Item]) -> list[tuple[str, Item]]:
    return [("core", item) for item in items]


def link(number: int, **names: Any) -> Item:
    return {"PK": "FAA#LINKS", "SK": f"MFR_MDL_CODE#5741801#SN#{number}", **names}


def counter(names: dict[str, str], count: Any, key: str) -> Item:
    return {"PK": "ICAO#MATCHER", "SK": key, **names, "count": count}


def counted() -> list[Item]:
    """Three links of one type, one of another, some of none; and the counters they make."""
    return [
        *(link(number, **NAMES) for number in range(3)),
        link(3, **OTHER),
        link(4, **{**NAMES, "model": None}),
        link(5, **{**NAMES, "manufacturer": ""}),
        link(6, type_designator="P28A"),
        counter(NAMES, Decimal(3), "TYPE#P28A#PIPER#Archer%20%233"),
        counter(OTHER, Decimal(1), "TYPE#B06#BELL#206A%2FB"),
    ]


def test_counters_that_are_as_the_links_say_have_not_drifted() -> None:
    """The report can also be good; a link that lacks a name counts for nothing."""
    report = check_counters(of_core(counted()))
    assert (report.counters, report.drift) == (2, [])


def _set(index: int, **changes: Any) -> Callable[[list[Item]], None]:
    return lambda items: items[index].update(changes)


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (_set(7, count=Decimal(4)), "3 links, and 4 counted"),
        (_set(7, count=Decimal(2)), "3 links, and 2 counted"),
        (_set(7, count=Decimal(6)), "3 links, and 6 counted"),
        (_set(7, count="3"), "3 links, and 3 counted"),
        (_set(7, count=None), "3 links, and None counted"),
        (_set(0, **OTHER), "2 links, and 3 counted"),
        (_set(4, model="Archer #3"), "4 links, and 3 counted"),
        (lambda items: items.pop(3), "0 links, and 1 counted"),
        (lambda items: items.pop(8), "1 links, and no counter"),
        (lambda items: items.append(counter(NAMES, Decimal(3), "TYPE#X")), "not a counter"),
        (_set(8, model="206B"), "not a counter of its key"),
        (_set(8, model=None), "not a counter of its key"),
    ],
)
def test_a_counter_that_drifted_is_told(plant: Callable[[list[Item]], Any], told: str) -> None:
    """By one either way, doubled, a number that became text, missing, left over, misplaced."""
    items = counted()
    plant(items)
    drift = check_counters(of_core(items)).drift
    assert any(told in text for text in drift), drift


def test_a_counter_of_nothing_is_drift_even_at_zero() -> None:
    """The last link takes its counter along."""
    zero = counter(OTHER, Decimal(0), "TYPE#B06#BELL#206A%2FB")
    assert check_counters(of_core([zero])).drift == ["B06 / BELL / 206A/B: 0 links, and 0 counted"]


def test_items_of_other_tables_and_keys_are_not_counted() -> None:
    """Only FAA#LINKS with a code and a serial number; keys match in full."""
    items = [
        ("products", {"productId": "x", "PK": "FAA#LINKS"}),
        ("core", {"PK": "FAA#LINKS", "SK": "MFR_MDL_CODE#5741801", **NAMES}),
        ("core", {"PK": "XFAA#LINKS", "SK": "MFR_MDL_CODE#5741801#SN#1", **NAMES}),
    ]
    assert check_counters(items).drift == []


def image(sort_key: str, partition: str = ENTITY) -> Item:
    return {"PK": partition, "SK": sort_key}


def pointer(image: str) -> Item:
    names = {"org_id": "SYSTEM", "entity_type": "REGISTRATION", "entity_id": "N1#A"}
    return {"PK": ENTITY, "SK": "DEFAULT", **names, "image": image}


def copy(image: str) -> Item:
    keys = {"PK": "DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION", "SK": "ID#N1#A"}
    return {**pointer(image), **keys}


def pictured() -> list[Item]:
    return [image(OLD), image(NEW), pointer(NEW), copy(NEW)]


@pytest.mark.parametrize("chosen", [OLD, NEW])
def test_a_default_image_is_right_if_it_exists(chosen: str) -> None:
    """It need not be the newest: a valid one stays where it points (requirements S3.5, case 4)."""
    report = check_default_images(of_core([image(OLD), image(NEW), pointer(chosen), copy(chosen)]))
    assert (report.entities, report.invalid) == (1, [])


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (lambda items: items.pop(1), "points to IMG#2025-01-01T00:00:00Z#b, which is not there"),
        (lambda items: items.pop(2), "no default row"),
        (lambda items: items.pop(3), "no copy for readers"),
        (_set(2, image=OLD), "point to different images"),
        (_set(3, image=OLD), "point to different images"),
        (_set(3, image="IMG#none"), "its copy for readers points to IMG#none"),
        (_set(2, image=None), "its default row points to None"),
        (_set(2, entity_id="N2"), "its default row names another entity"),
        (_set(3, org_id="OTHER"), "its copy for readers names another entity"),
        (_set(3, SK="ID#N2"), "DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION ID#N2: of an entity"),
        (lambda items: items.__delitem__(slice(0, 2)), "of an entity without images"),
    ],
)
def test_a_wrong_default_image_is_told(plant: Callable[[list[Item]], Any], told: str) -> None:
    """Dangling, missing, not copied, another's, or left over when the last image went."""
    items = pictured()
    plant(items)
    invalid = check_default_images(of_core(items)).invalid
    assert any(told in text for text in invalid), invalid


def test_images_of_an_unknown_entity_type_have_no_default() -> None:
    """They are refused, so a pointer of theirs is one too many."""
    hangar = "IMAGES#ORG#SYSTEM#ENTITY#HANGAR#ID#1"
    assert check_default_images(of_core([image(OLD, hangar)])).entities == 0
    report = check_default_images(of_core([image(OLD, hangar), image("DEFAULT", hangar)]))
    assert report.invalid == [f"{hangar} DEFAULT: of an entity without images"]
