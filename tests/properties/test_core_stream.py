"""The core table's stream, whatever is delivered, however often, in whatever order."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.models.core.faa_link import IcaoType
from sync.sinks.default_image import Entity
from tests.doubles.derived import Tables, counted, in_process
from tests.lengths import cases
from tests.records import Image, core_keys
from tests.unit.models.core import TUPLE, image, link_keys, texts
from tests.unit.models.stream import Stream


@pytest.fixture
def tables() -> Iterator[Tables]:
    with in_process() as made:
        yield made


def what(n: int) -> Image:
    return texts(**counted(n).parts)


def test_a_hundred_links_of_one_batch_take_four_transactions_at_most(tables: Tables) -> None:
    """Even where each moves between two counters of its own."""
    stream = Stream(tables)
    for step in (0, 100):
        stream.counting.calls.clear()
        records = [stream.apply(link_keys(n), what(n + step)) for n in range(100)]
        assert stream.deliver(*records) == []
        assert stream.counting.calls["transact_write_items"] <= 4
        assert stream.tables.held() == {counted(n + step): 1 for n in range(100)}


STATES = st.sampled_from([None, 0, 1, 2, "part"])
LINKS = st.tuples(st.just("link"), st.integers(0, 1), STATES)
IMAGES = st.tuples(st.just("image"), st.integers(0, 3), st.booleans())
HISTORIES = st.lists(st.lists(LINKS | IMAGES, min_size=3, max_size=8), min_size=2, max_size=4)
ENTITIES = ("IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1", "IMAGES#ORG#ACME#ENTITY#ICAO#ID#B744")


def applied(stream: Stream, kind: str, n: int, state: Any) -> Any:
    if kind == "link":
        full = what(0 if state == "part" else state or 0)
        if state == "part":
            del full["model"]
        return stream.apply(link_keys(n), None if state is None else full)
    pk = ENTITIES[n % 2]
    return stream.apply(core_keys(pk, f"IMG#{n}"), image(pk) if state else None)


def is_right(stream: Stream) -> None:
    """Counters are what a recount of the links gives, and each default image is valid."""
    links: Counter[IcaoType] = Counter()
    for keys, values in stream.items.values():
        if keys["PK"]["S"] == "FAA#LINKS" and all(name in values for name in TUPLE):
            links[IcaoType(*(values[name]["S"] for name in TUPLE))] += 1
    assert stream.tables.held() == links == stream.tables.contributing()
    for pk in ENTITIES:
        entity = Entity.of_image(core_keys(pk, ""), None)
        pointer, lookup = stream.tables.image(entity)
        there = stream.tables.images_of(entity)
        assert pointer == lookup
        assert pointer in there if there else pointer is None


@pytest.mark.soak
@settings(max_examples=cases(13, 200))
@given(HISTORIES, st.data())
def test_replays_in_any_order_leave_counters_and_pointers_right(
    history: list[list[tuple[str, int, Any]]], data: st.DataObject
) -> None:
    """Each batch comes at least once, and old ones come again, early, late or last of all."""
    with in_process() as tables:
        stream = Stream(tables)
        batches = []
        for batch in history:
            batches.append([applied(stream, *write) for write in batch])
            for again in data.draw(st.lists(st.sampled_from(batches), max_size=2)):
                assert stream.deliver(*again) == []
        for batch in data.draw(st.permutations(batches + batches[:2])):
            assert stream.deliver(*batch) == []
        assert not stream.letters.kept
        is_right(stream)


def test_the_law_above_can_be_broken(monkeypatch: pytest.MonkeyPatch, tables: Tables) -> None:
    """Planted: every version is the same, so what is old counts again."""
    monkeypatch.setattr(
        "sync.stream.record.stream_version", lambda created_s, number: number * 0 + 1
    )
    stream = Stream(tables)
    first, second = (stream.apply(link_keys(1), what(n)) for n in (1, 2))
    stream.deliver(second)
    stream.deliver(first)
    with pytest.raises(AssertionError):
        is_right(stream)
