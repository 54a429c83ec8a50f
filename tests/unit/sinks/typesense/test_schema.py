"""The schema of a collection, made of the models that feed its alias."""

import pytest

from sync.errors import RegistryError
from sync.model.fields import Keyword, Number, Object, Text, Timestamp
from sync.model.model import Model
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.documents import EXACT
from sync.sinks.typesense.schema import collection
from sync.writing.sink import Schematic


class Part(Model):
    code: Keyword


class Thing(Model):
    name: Text
    kind: Keyword
    price: Number
    count: int
    live: bool | None = None
    at: Timestamp
    tags: list[Keyword] | None = None
    times: list[Timestamp]
    part: Part
    parts: list[Part]
    extra: Object | None = None
    extras: list[Object] | None = None


class Sparse(Model):
    name: Text | None = None


class Other(Model):
    name: Keyword


class Extra(Model):
    extra: Keyword


def test_a_schema_has_explicit_types() -> None:
    """Of a nested model each field by itself; a map of unknown fields is not declared at all, and
    nothing is left for documents to decide.
    """
    schema = collection([Thing.document_schema()])
    assert schema["enable_nested_fields"] is True
    assert schema["fields"] == [
        {"name": "name", "type": "string", "optional": False},
        {"name": "kind", "type": "string", "facet": True, "optional": False},
        {"name": "price", "type": "float", "optional": False},
        {"name": "count", "type": "int64", "optional": False},
        {"name": "live", "type": "bool", "optional": True},
        {"name": "at", "type": "string", "sort": True, "optional": False},
        {"name": "tags", "type": "string[]", "facet": True, "optional": True},
        {"name": "times", "type": "string[]", "optional": False},
        {"name": "part.code", "type": "string", "facet": True, "optional": False},
        {"name": "parts.code", "type": "string[]", "facet": True, "optional": True},
    ]
    assert issubclass(Typesense, Schematic)
    assert (
        Typesense.schema([Thing.document_schema()])
        == Typesense.schema([Thing.document_schema()])
        == schema
    )


def test_a_field_is_needed_only_where_every_model_of_the_alias_needs_it() -> None:
    """Else the documents of one of them were refused."""
    found = {
        field["name"]: field["optional"]
        for field in collection([Thing.document_schema(), Sparse.document_schema()])["fields"]
    }
    assert set(found.values()) == {True}
    reverse = collection([Sparse.document_schema(), Thing.document_schema()])["fields"]
    assert {field["name"]: field["optional"] for field in reverse} == found
    assert not collection([Thing.document_schema()])["fields"][0]["optional"]


def test_two_models_of_one_alias_have_to_agree_on_a_field() -> None:
    """Else one of them is refused, document by document; also on what is not declared."""
    with pytest.raises(RegistryError, match="Other.name: another model of the alias differs"):
        collection([Thing.document_schema(), Other.document_schema()])
    with pytest.raises(RegistryError, match="Extra.extra: another model of the alias differs"):
        collection([Thing.document_schema(), Extra.document_schema()])


@pytest.mark.parametrize("name", ["id", EXACT])
def test_a_name_that_the_sink_needs_is_refused(name: str) -> None:
    """A document's id is made of its keys."""

    class Taken(Model):
        pass

    Taken.model_fields[name] = Thing.model_fields["name"]
    with pytest.raises(RegistryError, match=f"Taken.{name}: Typesense has a use for the name"):
        collection([Taken.document_schema()])
