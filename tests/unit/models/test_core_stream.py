"""The core table's stream, from its records to counters, default images and documents."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sync.errors import InvalidImage, RecordError
from sync.sinks.counters import Counters
from sync.sinks.default_image import Entity
from tests.doubles.derived import Tables, counted, in_process
from tests.records import CORE, Image, core_keys, stream_record
from tests.unit.models.core import OF_SYSTEM, TUPLE, image, link_keys, texts
from tests.unit.models.stream import Stream

TYPE = "IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#B744"


@pytest.fixture
def tables() -> Iterator[Tables]:
    with in_process() as made:
        yield made


@pytest.fixture
def stream(tables: Tables) -> Stream:
    return Stream(tables)


def what(n: int | None) -> Image | None:
    return None if n is None else texts(**counted(n).parts)


def manufacturer(name: str, count: int) -> tuple[Image, Image]:
    keys = core_keys("ICAO#MANUFACTURERS", f"MFR#{name}")
    return keys, {**texts(name=name), "type_count": {"N": str(count)}}


# Links.


def test_a_link_that_moves_ten_times_in_one_batch_is_one_op(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction, and only where it came from and where it went changes."""
    asked = []
    write = Counters.write

    def seeing(self: Counters, ops: Any, deadline: Any) -> Any:
        asked.append(ops)
        return write(self, ops, deadline)

    monkeypatch.setattr(Counters, "write", seeing)
    stream.deliver(stream.apply(link_keys(1), what(0)))
    stream.counting.calls.clear()
    assert stream.deliver(*(stream.apply(link_keys(1), what(n)) for n in range(1, 11))) == []
    assert [len(ops) for ops in asked] == [1, 1]
    assert stream.counting.calls["transact_write_items"] == 1
    assert stream.tables.held() == {counted(10): 1}


@pytest.mark.parametrize("missing", TUPLE)
def test_a_link_that_loses_a_name_counts_no_more(stream: Stream, missing: str) -> None:
    """And does again when it has it back."""
    full = what(1)
    assert full
    part = {name: value for name, value in full.items() if name != missing}
    for state, held in ((part, {}), (full, {counted(1): 1}), (part, {}), (full, {counted(1): 1})):
        assert stream.deliver(stream.apply(link_keys(1), state)) == []
        assert stream.tables.held() == held
    assert not stream.letters.kept


# What can't be taken.


def test_an_image_of_an_unknown_entity_type_is_told_and_holds_nothing_up(stream: Stream) -> None:
    """By table, keys and cause, each image of it."""
    airport = "IMAGES#ORG#SYSTEM#ENTITY#AIRPORT#ID#JFK"
    bad = [stream.apply(core_keys(airport, f"IMG#{n}"), image(airport)) for n in (1, 2)]
    good = [
        stream.apply(core_keys(TYPE, "IMG#1"), image(TYPE)),
        stream.apply(link_keys(1), what(1)),
        stream.apply(*manufacturer("BOEING", 3)),
    ]
    assert stream.deliver(good[0], *bad, *good[1:]) == []
    for n, letter in enumerate(stream.letters.kept, 1):
        assert (letter.table, letter.keys) == (CORE, core_keys(airport, f"IMG#{n}"))
        assert letter.raw is bad[n - 1]
        assert isinstance(letter.error, InvalidImage)
        assert "no model is for images of the entity type 'AIRPORT'" in str(letter.error)
    assert len(stream.letters.kept) == len(bad)
    all_but_the_bad_one_is_done(stream)


@pytest.mark.parametrize("missing", ["org_id", "entity_type", "entity_id"])
def test_an_image_row_without_an_id_is_told_and_holds_nothing_up(
    stream: Stream, missing: str
) -> None:
    """Neither its default image nor its document is made of it."""
    row = {name: value for name, value in image(OF_SYSTEM).items() if name != missing}
    keys = core_keys(OF_SYSTEM, "IMG#1")
    bad = stream.apply(keys, row)
    good = [
        stream.apply(core_keys(TYPE, "IMG#1"), image(TYPE)),
        stream.apply(link_keys(1), what(1)),
        stream.apply(*manufacturer("BOEING", 3)),
    ]
    assert stream.deliver(*good[:2], bad, good[2]) == []
    (letter,) = stream.letters.kept
    assert (letter.table, letter.keys, letter.raw) == (CORE, keys, bad)
    assert isinstance(letter.error, InvalidImage)
    assert missing in str(letter.error)
    assert stream.tables.image(Entity("SYSTEM", "REGISTRATION", "N1")) == (None, None)
    all_but_the_bad_one_is_done(stream)
    assert stream.deliver(stream.apply(keys, image(OF_SYSTEM))) == []  # mended
    assert stream.tables.image(Entity("SYSTEM", "REGISTRATION", "N1")) == ("IMG#1", "IMG#1")
    assert len(stream.letters.kept) == 1


def all_but_the_bad_one_is_done(stream: Stream) -> None:
    assert stream.tables.image(Entity("SYSTEM", "ICAO", "B744")) == ("IMG#1", "IMG#1")
    assert stream.tables.held() == {counted(1): 1}
    assert len(stream.documents.documents) == 1
    assert not stream.parking.keys


def test_an_image_of_nothing_is_told(stream: Stream) -> None:
    """Its key ends before the entity's id."""
    keys = core_keys("IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#", "IMG#1")
    row = texts(org_id="SYSTEM", entity_type="ICAO", entity_id="")
    assert stream.deliver(stream_record(keys, row)) == []
    (letter,) = stream.letters.kept
    assert (letter.keys, type(letter.error)) == (keys, RecordError)


def test_a_document_that_typesense_refuses_is_quarantined_alone(stream: Stream) -> None:
    """The other sink of its model has it."""
    stream.documents.refused = lambda op: op.id.endswith("2")
    records = [stream.apply(*manufacturer(f"M{n}", n)) for n in range(5)]
    assert stream.deliver(*records) == []
    (letter,) = stream.letters.kept
    assert (letter.sink, letter.target) == ("typesense", "icao_manufacturers")
    assert letter.keys == records[2]["dynamodb"]["Keys"]
    assert len(stream.documents.documents) == 4
    assert len(stream.search.documents) == 5


# Documents that stay as they were.


def test_equal_documents_are_skipped_and_counted(
    stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    """Not those of a sink that wants to know all; the batch's line says how many."""
    caplog.set_level(logging.INFO, "sync")
    stream.deliver(*(stream.apply(*manufacturer(f"M{n}", n)) for n in range(4)))
    stream.documents.calls.clear()
    caplog.clear()
    changed = [
        stream.apply(keys, {**values, "seen": {"S": "x"}}) for keys, values in
        (manufacturer(f"M{n}", n if n else 7) for n in range(4))
    ]  # fmt: skip
    assert stream.deliver(*changed) == []
    ((op,),) = stream.documents.calls
    assert (op.id, json.loads(op.body or b"")) == (
        "ICAO%23MANUFACTURERS|MFR%23M0",
        {"name": "M0", "type_count": 7},
    )
    (line,) = [record for record in caplog.records if record.message == "batch"]
    assert (line.equal, line.written) == (3, 5)  # type: ignore[attr-defined]
