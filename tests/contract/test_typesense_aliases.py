"""Collections behind aliases, made of the models' schemas."""

import json

import pytest
from typesense import Client

from sync.errors import Misconfigured, Refused, Unavailable
from sync.model.fields import Keyword, Number, Object, Text, Timestamp
from sync.model.model import Model
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.schema import collection
from sync.writing.op import Done, Op
from tests.contract.sinks import Subject, patient
from tests.contract.typesense_sinks import held
from tests.fault_proxy import (
    FaultProxy,
    cut_before,
)

pytestmark = pytest.mark.parametrize("subject", ["typesense"], indirect=True)

WRITTEN = Done.WRITTEN


@pytest.fixture
def sink(subject: Subject) -> Typesense:
    assert isinstance(subject.sink, Typesense)
    return subject.sink


class Size(Model):
    unit: Keyword
    width: Number


class Thing(Model):
    name: Text
    price: Number
    count: int
    live: bool | None = None
    at: Timestamp
    tags: list[Keyword] | None = None
    size: Size | None = None
    sizes: list[Size]
    extra: Object | None = None


class Wider(Thing):
    colour: Keyword


class Other(Model):
    name: Keyword
    price: Text


SCHEMA = collection([Thing.document_schema()])


def test_a_generated_schema_takes_its_model_s_documents(
    subject: Subject, sink: Typesense, client: Client
) -> None:
    """With all fields, with as few as can be, and with whatever an object holds."""
    assert sink.prepare("things", SCHEMA) == "created"
    few = {"name": "n", "price": 5, "count": 2, "at": "2026-01-02T03:04:05Z", "sizes": []}
    size = {"unit": "m", "width": 1}
    full = {
        **few,
        "price": 19.5,
        "live": True,
        "tags": ["a", "b"],
        "size": size,
        "sizes": [size, {**size, "width": 1.5}],
        "extra": {"a": 1, "b": [{"c": "x"}]},
    }
    bodies = [few, full, {**full, "extra": {"a": "text", "b": 1.5}}]
    ops = [
        Op("typesense", subject.put("1").source, "things", f"{n}", json.dumps(body).encode(), 1)
        for n, body in enumerate(bodies)
    ]
    for op, body in zip(ops, bodies, strict=True):
        Thing.read(body)
        assert [o.result for o in sink.write([op], patient())] == [WRITTEN]
    assert list(held(client, "things").values()) == bodies
    wrong = {**few, "count": "2"}
    (found,) = sink.write(
        [Op("typesense", ops[0].source, "things", "w", json.dumps(wrong).encode(), 1)], patient()
    )
    assert isinstance(found.result, Refused)
    hits = client.collections["things"].documents.search(
        {"q": "*", "query_by": "name", "filter_by": "sizes.width:>1.2"}
    )
    assert hits["found"] == 2


def test_what_is_prepared_stays(sink: Typesense, client: Client) -> None:
    """A second time nothing is done."""
    assert sink.prepare("things", SCHEMA) == "created"
    assert client.aliases["things"].retrieve()["collection_name"] == "things_v1"
    assert sink.prepare("things", SCHEMA) == "unchanged"


def test_new_fields_are_added_in_place(subject: Subject, sink: Typesense, client: Client) -> None:
    """As optional ones: the documents that are there lack them."""
    sink.prepare("others", collection([Other.document_schema()]))
    put = Op("typesense", subject.put("1").source, "others", "1", b'{"name":"n","price":"p"}', 1)
    assert [o.result for o in sink.write([put], patient())] == [WRITTEN]

    class More(Other):
        colour: Keyword

    assert sink.prepare("others", collection([More.document_schema()])) == "extended"
    assert sink.prepare("others", collection([More.document_schema()])) == "unchanged"
    fields = {f["name"]: f for f in client.collections["others"].retrieve()["fields"]}
    assert fields["colour"]["facet"]
    assert fields["colour"]["optional"]


def test_a_field_that_changed_is_named(sink: Typesense, client: Client) -> None:
    """It can't be changed in place: documents would not be found meanwhile."""
    sink.prepare("things", SCHEMA)
    with pytest.raises(Misconfigured, match=r"things_v1: the type of name, price differs"):
        sink.prepare("things", collection([Other.document_schema()]))
    there = {f["name"]: f["type"] for f in client.collections["things"].retrieve()["fields"]}
    assert there["price"] == "float"


def test_a_crash_between_collection_and_alias_is_got_over(
    sink: Typesense, client: Client, proxy: FaultProxy
) -> None:
    """The empty collection is taken; one with documents, or another schema, is left alone."""
    proxy.fail(cut_before, about=lambda request: request.method == "PUT")
    with pytest.raises(Unavailable):
        sink.prepare("things", SCHEMA)
    assert sink.prepare("things", SCHEMA) == "created"
    assert client.aliases["things"].retrieve()["collection_name"] == "things_v1"
    client.aliases["things"].delete()
    assert sink.prepare("things", collection([Wider.document_schema()])) == "created"
    assert client.aliases["things"].retrieve()["collection_name"] == "things_v2"


def test_a_collection_where_an_alias_is_to_be_is_told(sink: Typesense, client: Client) -> None:
    """It is never deleted."""
    client.collections.create({"name": "things", "fields": [{"name": "a", "type": "string"}]})
    with pytest.raises(Misconfigured, match="things is a collection where an alias is to be"):
        sink.prepare("things", SCHEMA)


def test_a_wrong_schema_is_told(sink: Typesense) -> None:
    """With the server's own words."""
    with pytest.raises(Misconfigured, match="invalid data type"):
        sink.prepare("things", {"fields": [{"name": "a", "type": "nonsense"}]})
