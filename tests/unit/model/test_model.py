"""What a model accepts, and the document it becomes."""

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ConfigDict

from sync.errors import InvalidImage, RegistryError
from sync.model.fields import Keyword, Number, Object, Text, Timestamp
from sync.model.model import Model, route
from sync.writing.schema import Field


class Size(Model):
    width: Number
    unit: Keyword | None = None


class Thing(Model):
    name: Text
    price: Number | None = None
    count: int = 0
    tags: list[Keyword] | None = None
    size: Size | None = None
    sizes: list[Size] | None = None
    extra: Object | None = None
    at: Timestamp | None = None
    live: bool | None = None


def document(**values: Any) -> Any:
    return json.loads(Thing.read(values).document(), parse_float=Decimal)


def test_a_document_holds_the_fields_the_item_has() -> None:
    """No defaults, no unknown attributes: a document says what its item says."""
    assert document(name="x", unknown=1) == {"name": "x"}
    assert document(name="x", price=None, count=3) == {"name": "x", "price": None, "count": 3}


def test_nested_models_and_lists_of_them_are_written_field_by_field() -> None:
    """Unknown attributes are left out there too."""
    found = document(name="x", size={"width": 1, "odd": 2}, sizes=[{"width": 2, "unit": "cm"}])
    assert found == {"name": "x", "size": {"width": 1}, "sizes": [{"width": 2, "unit": "cm"}]}


def test_the_document_of_an_open_model_has_every_attribute() -> None:
    """Those that are no fields too, as the item has them; so has one nested in another model."""

    class Open(Model):
        model_config = ConfigDict(extra="allow")

        size: Size

    class Around(Model):
        inner: Open

    values = {"size": {"width": 1, "odd": 2}, "more": [1, {"a": None}], "price": Decimal("0.1")}
    written = {**values, "size": {"width": 1}}
    for found, wanted in (
        (Open.read(values), written),
        (Around.read({"inner": values, "unknown": 1}), {"inner": written}),
    ):
        assert json.loads(found.document(), parse_float=Decimal) == wanted


@pytest.mark.parametrize(
    "number", [0, -1, 10**37, 0.1, Decimal("0.12345678901234567890123456789012345678")]
)
def test_numbers_are_exact(number: Any) -> None:
    """To all of DynamoDB's 38 digits, as JSON numbers."""
    expected = number if isinstance(number, int) else Decimal(str(number))
    assert document(name="x", price=number)["price"] == expected


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, "name: Field required"),
        ({"name": 5}, "name: Input should be a valid string"),
        ({"name": "x", "price": "5"}, "price"),
        ({"name": "x", "count": 1.5}, "count"),
        ({"name": "x", "count": True}, "count"),
        ({"name": "x", "at": "yesterday"}, "at"),
        ({"name": "x", "live": "yes"}, "live"),
        ({"name": "x", "size": {}}, "size.width"),
    ],
)
def test_an_item_that_does_not_fit_is_refused_naming_the_field(values: Any, fault: str) -> None:
    """Nothing is coerced."""
    with pytest.raises(InvalidImage, match="not a valid Thing: .*" + fault):
        Thing.read(values)


def test_the_error_holds_no_value() -> None:
    """It goes to logs."""
    with pytest.raises(InvalidImage) as caught:
        Thing.read({"name": "x", "price": "sesame"})
    assert "sesame" not in str(caught.value)


def test_a_float_field_is_refused_at_definition() -> None:
    """It would lose digits that DynamoDB keeps."""
    with pytest.raises(RegistryError, match="Bad.price: a float loses digits"):
        type("Bad", (Model,), {"__module__": __name__, "__annotations__": {"price": float}})


def test_a_type_without_a_schema_is_refused_at_definition() -> None:
    """Every sink has to know what to do with a field."""
    with pytest.raises(RegistryError, match="Bad.when: no schema for the type"):
        type("Bad", (Model,), {"__module__": __name__, "__annotations__": {"when": bytes}})


def test_fields_tell_kind_list_and_nesting() -> None:
    """What the schemas of the sinks are made of."""
    found = {field.name: field for field in Thing.document_schema().fields}
    size = Size.document_schema()
    assert found["name"] == Field("name", "text")
    assert found["price"] == Field("price", "number", required=False)
    assert found["tags"] == Field("tags", "keyword", many=True, required=False)
    assert found["size"] == Field("size", None, nested=size, required=False)
    assert found["sizes"] == Field("sizes", None, nested=size, many=True, required=False)
    assert found["at"].kind == "timestamp"
    assert found["extra"].kind == "object"
    assert found["live"].kind == "boolean"
    assert found["count"].kind == "integer"


@pytest.mark.parametrize("keys", [{}, {"a": "1", "b": "2", "c": "3"}])
def test_a_route_has_one_or_two_keys(keys: dict[str, str]) -> None:
    """As DynamoDB tables have."""
    with pytest.raises(RegistryError, match="one or two key attributes"):
        route("table", into={}, **keys)  # type: ignore[arg-type] # all are texts


def test_a_model_is_built_when_an_item_of_it_is_first_read() -> None:
    """Building one takes longer than reading many: a cold start must not build them all."""

    class Late(Model):
        name: Text

    assert not Late.__pydantic_complete__
    assert Late.read({"name": "x"}).document() == b'{"name":"x"}'
    assert Late.__pydantic_complete__
