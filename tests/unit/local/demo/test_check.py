"""The demo's comparison ends it at whatever differs, and leaves figures that say what."""

import io
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from local.checker import Expectation, Ref
from local.demo.figures import Failed
from local.demo.scene import Scene
from local.demo.screen import Screen

ALBUM = "IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1A"
NAMES = {"type_designator": "C152", "manufacturer": "CESSNA", "model": "152"}
POINTER = {"org_id": "SYSTEM", "entity_type": "REGISTRATION", "entity_id": "N1A", "image": "IMG#1"}

Item = dict[str, Any]


class Held:
    """A search server that holds what it should, until a test takes or adds some."""

    def __init__(self, items: list[tuple[str, Item]], expectation: Expectation) -> None:
        pairs = [expectation.of(table, item) for table, item in items]
        self.documents: dict[Ref, Any] = dict(pair for pair in pairs if pair)

    def all(self, alias: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for ref, document in self.documents.items():
            if ref.alias == alias:
                yield ref.id, document


def items() -> list[tuple[str, Item]]:
    """An item for each alias of both servers, a link with its counter, an image with its row."""
    core: list[Item] = [
        {"PK": "ICAO#AIRCRAFT", "SK": "TYPE#C152#CESSNA#152", "model": "152"},
        {"PK": "ICAO#MANUFACTURERS", "SK": "MFR#CESSNA", "name": "CESSNA"},
        {"PK": "AIRCRAFT#REGISTRY#FAA", "SK": "DETAIL#N1A", "registration": "N1A"},
        {"PK": "FAA#LINKS", "SK": "MFR_MDL_CODE#1#SN#2", **NAMES},
        {"PK": "ICAO#MATCHER", "SK": "TYPE#C152#CESSNA#152", **NAMES, "count": Decimal(1)},
        {"PK": ALBUM, "SK": "IMG#1", "caption": "N1A"},
        {"PK": ALBUM, "SK": "DEFAULT", **POINTER},
        {"PK": "DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION", "SK": "ID#N1A", **POINTER},
    ]
    return [*(("core", item) for item in core), ("products", {"productId": "p", "name": "P"})]


def scene_of(found: list[tuple[str, Item]]) -> Scene:
    tables = SimpleNamespace(values=lambda: found)
    expectation, collected = Expectation(), Expectation.of_typesense()
    return Scene(
        stack=cast(Any, None),
        screen=Screen(Console(file=io.StringIO())),
        tables=cast(Any, tables),
        documents=cast(Any, Held(found, expectation)),
        expectation=expectation,
        collections=cast(Any, Held(found, collected)),
        collected=collected,
        desk=cast(Any, None),
    )


def test_what_is_equal_leaves_good_figures() -> None:
    """The five comparisons, each with something to compare."""
    scene = scene_of(items())
    scene.check()
    figures = scene.figures
    assert (figures.table_items, figures.documents, figures.mismatches) == (3, 3, 0)
    assert figures.typesense == {"documents": 4, "mismatches": 0}
    assert figures.counters == {"counters": 1, "drift": 0}
    assert figures.default_images == {"entities": 1, "invalid": 0}


def test_a_sink_without_a_server_is_not_compared() -> None:
    """Nor asked anything."""
    scene = scene_of(items())
    scene.figures.left_out["typesense"] = "none runs here"
    scene.collections = cast(Any, None)
    scene.check()
    assert scene.figures.typesense is None


def _lose(server: str) -> Callable[[Scene], Any]:
    return lambda scene: getattr(scene, server).documents.popitem()


def _set(index: int, **changes: Any) -> Callable[[Scene], None]:
    return lambda scene: cast(Item, scene.tables.values()[index][1]).update(changes)


@pytest.mark.parametrize(
    ("plant", "told", "figure"),
    [
        (_lose("documents"), "documents in OpenSearch differ: 1 mismatches", ("mismatches", 1)),
        (
            _lose("collections"),
            "documents in Typesense differ: 1 mismatches",
            ("typesense", {"documents": 3, "mismatches": 1}),
        ),
        (
            _set(4, count=Decimal(2)),
            "1 counters differ from a recount",
            ("counters", {"counters": 1, "drift": 1}),
        ),
        (
            _set(6, image="IMG#2"),
            "default images are not right",
            ("default_images", {"entities": 1, "invalid": 2}),  # and it differs from its copy
        ),
    ],
)
def test_what_differs_ends_the_demo(
    plant: Callable[[Scene], Any], told: str, figure: tuple[str, Any]
) -> None:
    """One of each kind; the figures keep what was found."""
    scene = scene_of(items())
    plant(scene)
    with pytest.raises(Failed, match=told):
        scene.check()
    assert getattr(scene.figures, figure[0]) == figure[1]
