"""The demo's random changes are the same each time, of every kind, and known to the last item."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest

from local.checker import Expectation, item_values
from local.data.images import CLUB, SYSTEM
from local.demo import agreement
from local.demo.churn import Churn
from local.demo.figures import Failed
from local.demo.scene import Scene
from local.demo.story import fleet_of
from local.demo.tables import KEYS, Tables, image_of
from tests.doubles.in_process import mock_aws
from tests.tables import create_table
from tests.unit.local.data.test_data import TYPES

CHANGES = 150


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A small fleet in tables of this process, with nobody to make anything of it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        for short, names in KEYS.items():
            create_table(dynamodb, short, *names)
        tables = Tables(dynamodb, {short: short for short in KEYS}, Expectation())
        fleet = fleet_of(TYPES, faa=60, foreign=30, pictured=40)
        product = {"productId": "p", "name": "P", "price": 1}
        tables.put_all([*fleet.items, product], lambda _: None)
        yield cast(Scene, SimpleNamespace(tables=tables, fleet=fleet, products={"p": product}))


def by_key(items: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(item["PK"], item["SK"]): item for item in items}


def test_the_tables_hold_what_the_changes_left(scene: Scene) -> None:
    """Else the demo would wait for what nobody wrote."""
    churn = Churn(scene)
    churn.make(CHANGES)
    expected = by_key([item_values(image_of(item)) for item in scene.fleet.items])
    held = [dict(item) for table, item in scene.tables.values() if table == "core"]
    assert by_key(held) == expected
    assert len(churn.made) == 10
    assert churn.made.total() == CHANGES
    assert len(churn.products) == 1


def test_an_image_that_is_shown_is_removed_too(scene: Scene) -> None:
    """The pointer then has to move: the case that a dangling one would come from."""
    partition, album = next((p, a) for p, a in scene.fleet.images.items() if len(a) > 1)
    scene.fleet.images = {partition: album}
    shown = album[0]
    scene.tables.write({"PK": partition, "SK": "DEFAULT", "image": shown["SK"]})
    Churn(scene)._remove_default()
    assert scene.tables.get(shown) == {}
    assert shown not in scene.fleet.images[partition]


def test_waiting_in_vain_names_what_differs(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here nobody counts and nobody points, until a test does; then it returns."""
    monkeypatch.setattr(agreement, "_PAUSE_S", 0.0)
    with pytest.raises(Failed, match=r"differ, such as .* links, and no counter"):
        agreement.until_agreed(scene, typesense=False, quiet_s=0)
    scene.fleet.links.clear()
    with pytest.raises(Failed, match=r"\d+ differ, such as .*: no default image"):
        agreement.until_agreed(scene, typesense=False, quiet_s=0)
    for partition, album in scene.fleet.images.items():
        head, _, id_ = partition.partition("#ID#")
        row = {"PK": f"DEFAULT_{head}", "SK": f"ID#{id_}", "image": album[-1]["SK"]}
        scene.tables.write(row)
    agreement.until_agreed(scene, typesense=False, quiet_s=0)
    scene.fleet.images.popitem()
    with pytest.raises(Failed, match="1 differ, such as .*: a default image, and no image"):
        agreement.until_agreed(scene, typesense=False, quiet_s=0)


def test_the_fleet_has_both_registers_and_both_organisations(scene: Scene) -> None:
    """Every kind of item that the new sinks take."""
    items = scene.fleet.items
    assert {item["PK"] for item in items if item["PK"].startswith("AIRCRAFT")} == {
        "AIRCRAFT#REGISTRY#FAA",
        "AIRCRAFT#REGISTRY#FOREIGN",
    }
    assert {item.get("org_id") for item in items} == {SYSTEM, CLUB, None}
    assert {item.get("entity_type") for item in items} == {"ICAO", "REGISTRATION", None}
