"""What each model asks of the sinks when an item comes, changes and goes."""

from collections.abc import Mapping
from itertools import chain, combinations
from typing import Any

import pytest

from sync.errors import InvalidImage, RecordError
from sync.models.core.faa_link import IcaoType
from tests.records import Image, core_keys, stream_record
from tests.unit.models.core import (
    OF_SYSTEM,
    TUPLE,
    Asked,
    change_of,
    image,
    link_keys,
    link_record,
    planned,
    texts,
)

FAA = texts(registration="N1", n_number="1", name="ONE LLC", city="RENO")
DOCUMENTS: Mapping[str, tuple[Image, Image, str, dict[str, str]]] = {
    "FaaRegistration": (
        core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#N1"),
        {**FAA, "other_names": {"L": [{"S": "TWO"}]}},
        "AIRCRAFT%23REGISTRY%23FAA|DETAIL%23N1",
        {"typesense": "registry"},
    ),
    "ForeignRegistration": (
        core_keys("AIRCRAFT#REGISTRY#FOREIGN", "DETAIL#G-ABCD"),
        texts(registration="G-ABCD", country="GB", operator="É"),
        "AIRCRAFT%23REGISTRY%23FOREIGN|DETAIL%23G-ABCD",
        {"typesense": "registry"},
    ),
    "IcaoAircraft": (
        core_keys("ICAO#AIRCRAFT", "TYPE#B744#BOEING#747"),
        texts(type_designator="B744", manufacturer="BOEING", model="747"),
        "ICAO%23AIRCRAFT|TYPE%23B744%23BOEING%23747",
        {"opensearch": "icao_aircraft", "typesense": "icao_aircraft"},
    ),
    "IcaoManufacturer": (
        core_keys("ICAO#MANUFACTURERS", "MFR#BOEING"),
        {**texts(name="BOEING"), "type_count": {"N": "12"}},
        "ICAO%23MANUFACTURERS|MFR%23BOEING",
        {"opensearch": "icao_manufacturers", "typesense": "icao_manufacturers"},
    ),
}


def plain(attributes: Image) -> dict[str, Any]:
    def value(av: Mapping[str, Any]) -> Any:
        ((tag, inner),) = av.items()
        if tag == "L":
            return [value(each) for each in inner]
        return int(inner) if tag == "N" else inner

    return {name: value(av) for name, av in attributes.items()}


@pytest.fixture(params=DOCUMENTS)
def item(request: pytest.FixtureRequest) -> tuple[Image, Image, str, dict[str, str]]:
    return DOCUMENTS[request.param]


def test_an_item_that_comes_is_a_document(item: Any) -> None:
    """Of each of its sinks, with the fields it has; what no model knows is left out."""
    keys, values, id_, into = item
    asked = planned(stream_record(keys, {**values, "unknown": {"S": "x"}}))
    assert asked == [Asked(sink, target, id_, plain(values)) for sink, target in into.items()]


def test_an_item_that_changes_is_one_too(item: Any) -> None:
    """New exists and differs from old: upsert (requirements S3.3)."""
    keys, values, id_, into = item
    name = next(name for name, value in values.items() if "S" in value)
    asked = planned(stream_record(keys, values, old={**values, name: {"S": "was"}}))
    assert asked == [Asked(sink, target, id_, plain(values)) for sink, target in into.items()]


@pytest.mark.parametrize("kind", ["FaaRegistration", "ForeignRegistration", "IcaoAircraft"])
def test_a_field_that_comes_or_goes_is_a_change(kind: str) -> None:
    """Even where it holds null, which a document says."""
    keys, values, _, into = DOCUMENTS[kind]
    fields = change_of(stream_record(keys, values)).model.model_fields
    more = {**values, next(name for name in fields if name not in values): {"NULL": True}}
    for new, old in ((values, more), (more, values)):
        assert {asked.sink for asked in planned(stream_record(keys, new, old=old))} == set(into)


def test_an_item_that_stays_is_no_news_for_typesense(item: Any) -> None:
    """Whatever else of it changed. Sinks that don't ask for it are told all the same."""
    keys, values, _, into = item
    record = stream_record(
        keys, {**values, "other": {"S": "b"}}, old={**values, "other": {"S": "a"}}
    )
    assert {asked.sink for asked in planned(record)} == set(into) - {"typesense"}
    change = change_of(record)
    list(change.model.plan(change))
    assert change.equal == 1


@pytest.mark.parametrize("views", ["with its old image", "with its keys alone"])
def test_an_item_that_goes_takes_its_documents_along(item: Any, views: str) -> None:
    """Old existed and new is gone: delete (requirements S3.3); NEW_IMAGE shows no old image."""
    keys, values, id_, into = item
    old = values if views == "with its old image" else None
    record = stream_record(keys, None, old=old, event_name="REMOVE")
    assert planned(record) == [Asked(sink, target, id_, None) for sink, target in into.items()]


def test_a_stream_without_old_images_skips_nothing(item: Any) -> None:
    """What the document was is not known then."""
    keys, values, _, into = item
    record = stream_record(keys, values, event_name="MODIFY")
    assert {asked.sink for asked in planned(record)} == set(into)


def test_numbers_that_are_written_differently_are_written() -> None:
    """Equal by attribute value or not at all: a needless write does no harm."""
    keys, values, _, _ = DOCUMENTS["IcaoManufacturer"]
    record = stream_record(keys, values, old={**values, "type_count": {"N": "12.0"}})
    assert {asked.sink for asked in planned(record)} == {"opensearch", "typesense"}


def test_an_item_that_is_not_valid_is_never_skipped() -> None:
    """It was quarantined before, and says so again."""
    keys, values, _, _ = DOCUMENTS["IcaoManufacturer"]
    wrong = {**values, "type_count": {"S": "12"}}
    with pytest.raises(InvalidImage, match="type_count"):
        planned(stream_record(keys, wrong, old=wrong))


def test_an_old_image_that_is_not_valid_does_no_harm() -> None:
    """Its item was mended."""
    keys, values, id_, _ = DOCUMENTS["FaaRegistration"]
    asked = planned(stream_record(keys, values, old={"registration": {"N": "1"}}))
    assert asked == [Asked("typesense", "registry", id_, plain(values))]


@pytest.mark.parametrize(
    "keys",
    [
        core_keys("ICAO#VARIANTS", "747"),
        core_keys("ICAO#MATCHER", "TYPE#C172#CESSNA#172"),
        core_keys(OF_SYSTEM, "DEFAULT"),
        core_keys("DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#ICAO", "ID#B744"),
    ],
    ids=lambda keys: keys["PK"]["S"],
)
def test_rows_that_no_sink_gets_ask_for_nothing(keys: Image) -> None:
    """What the service derives would go round for ever otherwise; whatever they hold."""
    for new, old in (({"x": {"N": "1"}}, None), ({}, {"x": {"N": "1"}}), (None, {})):
        assert planned(stream_record(keys, new, old=old)) == []


# Links.

CESSNA = texts(type_designator="C172", manufacturer="CESSNA", model="172 #ü")
PIPER = texts(type_designator="P28A", manufacturer="PIPER", model="PA-28")
FAMILY = "icao_entity_matcher"


def says(n: int, what: Image | None) -> list[Asked]:
    id_ = f"FAA%23LINKS|MFR_MDL_CODE%2305609{n}%23SN%23{n}"
    return [Asked("counters", FAMILY, id_, plain(what) if what else None)]


def test_a_link_says_what_it_contributes_to() -> None:
    """When it comes, when it moves, when it stays, and when it goes."""
    assert planned(link_record(1, CESSNA)) == says(1, CESSNA)
    assert planned(link_record(1, PIPER, old=CESSNA)) == says(1, PIPER)
    assert planned(link_record(1, PIPER, old=PIPER)) == says(1, PIPER)
    assert planned(link_record(1, None, old=PIPER)) == says(1, None)
    assert planned(stream_record(link_keys(1), event_name="REMOVE")) == says(1, None)


SUBSETS = list(chain.from_iterable(combinations(TUPLE, n) for n in range(3)))


@pytest.mark.parametrize(
    "missing", [None, {"S": ""}, {"NULL": True}], ids=["absent", "empty", "null"]
)
@pytest.mark.parametrize("known", SUBSETS, ids=lambda names: "+".join(names) or "none")
def test_a_link_contributes_once_all_three_names_are_known(known: Any, missing: Any) -> None:
    """Each subset of them, and each way in which the others can be missing."""
    part = {name: CESSNA[name] if name in known else missing for name in TUPLE}
    part = {name: value for name, value in part.items() if value is not None}
    for old in (None, CESSNA, part):
        assert planned(link_record(1, part, old=old)) == says(1, None)
    assert planned(link_record(1, CESSNA, old=part)) == says(1, CESSNA)


def test_a_name_that_is_no_text_is_told() -> None:
    """Never coerced: its counter would be another one."""
    with pytest.raises(InvalidImage, match="model"):
        planned(link_record(1, {**CESSNA, "model": {"N": "172"}}))


def test_what_a_link_says_is_what_the_sink_reads() -> None:
    """One form of a body, from model to counter."""
    change = change_of(link_record(1, CESSNA))
    (op,) = change.model.plan(change)
    assert op.body is not None
    assert IcaoType.read(op.body) == IcaoType("C172", "CESSNA", "172 #ü")


# Images.

TYPE = "IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#B744"
ACME = "IMAGES#ORG#ACME#ENTITY#REGISTRATION#ID#N1"
AIRPORT = "IMAGES#ORG#SYSTEM#ENTITY#AIRPORT#ID#JFK"


def looks(pk: str) -> Asked:
    """The entity at *pk* is to be looked at."""
    ids = {"org_id": None, "entity_type": None, "entity_id": None, **plain(image(pk))}
    return Asked("default_image", "default_images", pk.replace("#", "%23"), {**ids, "pk": pk})


@pytest.mark.parametrize("pk", [TYPE, ACME])
def test_whatever_becomes_of_an_image_its_entity_is_looked_at(pk: str) -> None:
    """Also when it stays as it was: a valid default is repaired anyway (requirements S3.5)."""
    keys, row = core_keys(pk, "IMG#1"), image(pk)
    later = {**row, "caption": {"S": "x"}}
    for record in (
        stream_record(keys, row),
        stream_record(keys, later, old=row),
        stream_record(keys, row, old=row),
        stream_record(keys, None, old=row),
        stream_record(keys, event_name="REMOVE"),
    ):
        assert planned(record) == [looks(pk)]


def test_images_of_system_s_registrations_are_searched_too() -> None:
    """By their own id; only their caption is no business of the default image."""
    keys, row = core_keys(OF_SYSTEM, "IMG#1"), image(OF_SYSTEM, caption={"S": "x"})
    id_ = f"{OF_SYSTEM}|IMG#1".replace("#", "%23")
    put, delete = (Asked("typesense", "aircraft_images", id_, b) for b in (plain(row), None))
    assert planned(stream_record(keys, row)) == [looks(OF_SYSTEM), put]
    assert planned(stream_record(keys, row, old=image(OF_SYSTEM))) == [looks(OF_SYSTEM), put]
    assert planned(stream_record(keys, row, old=row)) == [looks(OF_SYSTEM)]
    assert planned(stream_record(keys, None, old=row)) == [looks(OF_SYSTEM), delete]


@pytest.mark.parametrize("missing", ["org_id", "entity_type", "entity_id"])
@pytest.mark.parametrize("pk", [TYPE, OF_SYSTEM])
def test_an_image_row_without_an_id_is_told(pk: str, missing: str) -> None:
    """By name; and one that names another entity than its key."""
    row = image(pk)
    for wrong in ({n: v for n, v in row.items() if n != missing}, {**row, missing: {"S": "OTHER"}}):
        with pytest.raises(InvalidImage, match=missing):
            planned(stream_record(core_keys(pk, "IMG#1"), wrong))


def test_an_image_of_an_unknown_entity_type_is_told() -> None:
    """For each image, also when it goes: whoever mends it wants to know them all."""
    for new in (image(AIRPORT), None):
        with pytest.raises(
            InvalidImage, match="no model is for images of the entity type 'AIRPORT'"
        ):
            planned(stream_record(core_keys(AIRPORT, "IMG#1"), new))


@pytest.mark.parametrize("pk", ["IMAGES#", "IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#"])
def test_an_image_of_nothing_is_told(pk: str) -> None:
    """Also when it goes: nobody knows whose default it was."""
    row = texts(org_id="SYSTEM", entity_type="ICAO", entity_id="B744")
    for new in (row, None):
        with pytest.raises(RecordError, match="does not name an org, entity type and id"):
            planned(stream_record(core_keys(pk, "IMG#1"), new))
