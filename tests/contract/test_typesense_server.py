"""The Typesense stand-in as the official client meets it: schemas, documents, imports."""

import json
from typing import Any
from urllib.parse import quote

import pytest
import typesense.types.collection as collection_types
import typesense.types.document as document_types
from typesense import Client
from typesense.exceptions import (
    ObjectAlreadyExists,
    ObjectNotFound,
    RequestMalformed,
    TypesenseClientError,
)

from tests.contract.shapes import complaints
from tests.contract.typesense_clients import make


@pytest.fixture
def planes(client: Client) -> Any:
    """The documents of a collection with one field of each kind."""
    make(
        client,
        "planes",
        ("name", "string"),
        {"name": "tags", "type": "string[]", "optional": True},
        {"name": "seats", "type": "int32", "optional": True},
        {"name": "hours", "type": "int64", "optional": True},
        {"name": "span", "type": "float", "optional": True},
        {"name": "flies", "type": "bool", "optional": True},
    )
    return client.collections["planes"].documents


def said(error: TypesenseClientError) -> tuple[Any, ...]:
    """Status and message."""
    return error.args


def test_a_new_collection_is_summed_up(client: Client) -> None:
    """Every property of a field is in the answer, with what it defaults to."""
    made = make(client, "planes", {"name": "seats", "type": "int32"}, default_sorting_field="seats")
    assert made["fields"] == [
        {
            "name": "seats",
            "type": "int32",
            "facet": False,
            "optional": False,
            "index": True,
            "sort": True,
            "infix": False,
            "locale": "",
            "stem": False,
            "stem_dictionary": "",
            "store": True,
        }
    ]
    assert client.collections["planes"].retrieve() == made
    assert client.collections.retrieve() == [made]
    # The server's summary has no num_memory_shards (collection.cpp), whatever the type says.
    assert list(complaints(made, collection_types.CollectionSchema)) == [
        "answer has no num_memory_shards"
    ]


def test_a_collections_name_is_taken_once(client: Client) -> None:
    """A second collection of the name is a conflict; dropped, the name is free again."""
    made = make(client, "planes", ("name", "string"))
    with pytest.raises(ObjectAlreadyExists) as refused:
        make(client, "planes", ("other", "string"))
    assert said(refused.value) == (409, "A collection with name `planes` already exists.")
    assert client.collections["planes"].delete() == made
    with pytest.raises(ObjectNotFound, match="Collection not found"):
        client.collections["planes"].retrieve()
    with pytest.raises(ObjectNotFound, match="No collection with name `planes` found."):
        client.collections["planes"].delete()


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"fields": []}, "Parameter `name` is required."),
        ({"name": ""}, "Parameter `name` must be a non-empty string."),
        ({"name": "x"}, "Parameter `fields` is required."),
        (
            {"name": "x", "fields": []},
            "The `fields` value should be an array of objects containing"
            " `name`, `type` and optionally, `facet` properties.",
        ),
        (
            {"name": "x", "fields": [{"name": "a", "type": "text"}]},
            "Field `a` has an invalid data type `text`, see docs for supported data types.",
        ),
        (
            {"name": "x", "fields": [{"name": "a", "type": "object"}]},
            "Type `object` or `object[]` can be used only when nested fields are enabled by"
            " setting` enable_nested_fields` to true.",
        ),
        (
            {"name": "x", "fields": [{"name": "a", "type": "int32", "facet": 1}]},
            "The `facet` property of the field `a` should be a boolean.",
        ),
        (
            {"name": "x", "fields": [{"name": "a", "type": "string[]", "sort": True}]},
            "Field `a` cannot be a sortable field.",
        ),
        (
            {"name": "x", "fields": [{"name": "a", "type": "string"}] * 2},
            "There are duplicate field names in the schema.",
        ),
        (
            {"name": "x", "fields": [{"name": "a", "type": "int32"}], "default_sorting_field": "b"},
            "Default sorting field is defined as `b` but is not found in the schema.",
        ),
        (
            {
                "name": "x",
                "fields": [{"name": "a", "type": "int32", "optional": True}],
                "default_sorting_field": "a",
            },
            "Default sorting field `a` cannot be an optional field.",
        ),
    ],
)
def test_a_wrong_schema_is_refused(client: Client, schema: Any, message: str) -> None:
    """Nothing is made of a schema with a mistake, and the text names it."""
    with pytest.raises(RequestMalformed) as refused:
        client.collections.create(schema)
    assert said(refused.value) == (400, message)
    assert client.collections.retrieve() == []


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        (
            {"id": "1"},
            400,
            "Field `name` has been declared in the schema, but is not found in the document.",
        ),
        ({"name": 1}, 400, "Field `name` must be a string."),
        ({"name": None}, 400, "Field `name` must be a string."),
        ({"name": "a", "tags": "b"}, 400, "Field `tags` must be an array."),
        ({"name": "a", "tags": [1]}, 400, "Field `tags` must be an array of string."),
        ({"name": "a", "seats": "2"}, 400, "Field `seats` must be an int32."),
        ({"name": "a", "seats": 2.5}, 400, "Field `seats` must be an int32."),
        ({"name": "a", "hours": True}, 400, "Field `hours` must be an int64."),
        ({"name": "a", "span": "wide"}, 400, "Field `span` must be a float."),
        ({"name": "a", "flies": 1}, 400, "Field `flies` must be a bool."),
        ({"id": 1, "name": "a"}, 400, "Document's `id` field should be a string."),
        ({"id": "", "name": "a"}, 400, "The `id` should not be empty."),
        ({"id": "taken", "name": "b"}, 409, "A document with id taken already exists."),
    ],
)
def test_a_document_that_breaks_the_schema_is_refused(
    planes: Any, document: dict[str, Any], code: int, message: str
) -> None:
    """Alone or as a line of an import, with the same code and text; nothing is stored."""
    planes.create({"id": "taken", "name": "a"})
    with pytest.raises(TypesenseClientError) as refused:
        planes.create(document)
    assert said(refused.value) == (code, message)
    assert planes.import_([document]) == [{"success": False, "code": code, "error": message}]
    assert planes.export() == '{"id":"taken","name":"a"}'


def test_an_import_answers_each_line_in_order(planes: Any) -> None:
    """Failures stand where their lines stood and stop nobody; empty lines have no answer."""
    raw = planes.import_(
        '{"id":"1","name":"a"}\n\n{"id":"2"}\nnot json\n[]\n{"id":"3","name":"c"}\n'
    )
    lines = [json.loads(line) for line in raw.split("\n")]
    assert [line["success"] for line in lines] == [True, False, False, False, True]
    assert raw.startswith('{"success":true}\n{"code":400,"error":"Field `name` has been')
    assert lines[2]["error"].startswith("Bad JSON: [json.exception.parse_error.101]")
    assert lines[3]["error"] == "Bad JSON: not a properly formed document."
    assert [json.loads(line)["id"] for line in planes.export().split("\n")] == ["1", "3"]


def test_an_import_creates_unless_told_otherwise(planes: Any) -> None:
    """A line whose document is there already fails alone."""
    planes.create({"id": "1", "name": "a"})
    assert planes.import_([{"id": "1", "name": "b"}, {"id": "2", "name": "c"}]) == [
        {"success": False, "code": 409, "error": "A document with id 1 already exists."},
        {"success": True},
    ]


def test_the_last_line_of_an_id_wins(planes: Any) -> None:
    """Lines of one id apply in order."""
    lines = [{"id": "1", "name": name} for name in ("a", "b", "c")]
    assert planes.import_(lines, {"action": "upsert"}) == [{"success": True}] * 3
    assert planes["1"].retrieve() == {"id": "1", "name": "c"}


def test_import_tells_of_documents_when_asked(planes: Any) -> None:
    """return_doc gives what is stored, or the line as it came; return_id the id."""
    good, bad = {"id": "1", "name": "a"}, {"id": "2", "name": 1}
    told = planes.import_([good, bad], {"return_doc": True, "return_id": True})
    assert told == [
        {"success": True, "document": good, "id": "1"},
        {
            "success": False,
            "code": 400,
            "error": "Field `name` must be a string.",
            "document": json.dumps(bad),
            "id": "2",
        },
    ]
    assert not list(complaints(told[0], document_types.ImportResponseWithId))
    assert not list(complaints(told[1], document_types.ImportResponseFail))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"action": "replace"}, "Parameter `action` must be a create|update|upsert."),
        ({"batch_size": 0}, "Parameter `batch_size` must be a positive integer."),
        ({"return_id": "yes"}, "Parameter `return_id` must be a true|false."),
    ],
)
def test_an_import_with_a_wrong_parameter_is_refused_whole(
    planes: Any, parameters: dict[str, Any], message: str
) -> None:
    """Only then is the answer not 200."""
    with pytest.raises(RequestMalformed) as refused:
        planes.import_([{"id": "1", "name": "a"}], parameters)
    assert said(refused.value) == (400, message)
    assert planes.export() == ""


@pytest.mark.parametrize(
    ("dirty_values", "outcome"),
    [
        ("reject", "Field `tags` must be an array of string."),
        ("coerce_or_reject", {"seats": 7, "span": 1.5, "tags": ["1", "true"]}),
        ("coerce_or_drop", {"seats": 7, "span": 1.5, "tags": ["1", "true"]}),
        ("drop", {"tags": []}),
        ("no such mode", "Field `tags` must be an array of string."),
    ],
)
def test_dirty_values_are_refused_coerced_or_dropped(
    planes: Any, dirty_values: Any, outcome: dict[str, Any] | str
) -> None:
    """What fits after coercion is stored as coerced; optional fields can be dropped."""
    document = {"id": "1", "name": "a", "seats": "7", "span": "1.5", "tags": [1, True]}
    (line,) = planes.import_([document], {"dirty_values": dirty_values})
    if isinstance(outcome, str):
        assert line == {"success": False, "code": 400, "error": outcome}
    else:
        assert line == {"success": True}
        assert planes["1"].retrieve() == {"id": "1", "name": "a", **outcome}


def test_what_cannot_be_coerced_is_dropped_only_from_optional_fields(planes: Any) -> None:
    """A required field's value is refused in every mode."""
    parameters = {"dirty_values": "coerce_or_drop"}
    lines = [{"id": "1", "name": "a", "seats": "many"}, {"id": "2", "name": {}}]
    assert planes.import_(lines, parameters) == [
        {"success": True},
        {"success": False, "code": 400, "error": "Field `name` must be a string."},
    ]
    assert planes["1"].retrieve() == {"id": "1", "name": "a"}


def test_upsert_replaces_and_update_merges(planes: Any) -> None:
    """Upsert and emplace make what is missing; update and emplace keep what isn't named."""
    whole = {"id": "1", "name": "a", "seats": 4}
    planes.upsert(whole)
    assert planes.import_([{"id": "1", "seats": 5}], {"action": "upsert"})[0]["success"] is False
    planes.import_([{"id": "1", "seats": 5}, {"id": "1", "span": 2.5}], {"action": "update"})
    assert planes["1"].retrieve() == {"id": "1", "name": "a", "seats": 5, "span": 2.5}
    planes.import_([{"id": "1", "seats": 6}, {"id": "2", "name": "b"}], {"action": "emplace"})
    assert planes["1"].retrieve() == {"id": "1", "name": "a", "seats": 6, "span": 2.5}
    assert planes.upsert({"id": "1", "name": "c"}) == {"id": "1", "name": "c"}
    assert planes["2"].update({"seats": 9}) == {"id": "2", "name": "b", "seats": 9}
    (line,) = planes.import_([{"id": "3", "name": "c"}], {"action": "update"})
    assert line["error"] == "Could not find a document with id: 3"
    assert line["code"] == 404


def test_null_removes_a_field_from_a_document_that_is_there(planes: Any) -> None:
    """Of a new document only nulls in optional fields go; later all do."""
    planes.create({"id": "1", "name": "a", "seats": None, "undeclared": None})
    assert planes["1"].retrieve() == {"id": "1", "name": "a", "undeclared": None}
    planes.upsert({"id": "1", "name": "a", "seats": None, "undeclared": None})
    assert planes["1"].retrieve() == {"id": "1", "name": "a"}


def test_a_missing_document_is_named(planes: Any) -> None:
    """A delete may be told to take it for done."""
    for call in (
        planes["1"].retrieve,
        planes["1"].delete,
        lambda: planes["1"].update({"seats": 1}),
    ):
        with pytest.raises(ObjectNotFound) as refused:
            call()
        assert said(refused.value) == (404, "Could not find a document with id: 1")
    assert planes["1"].delete({"ignore_not_found": True}) == {"id": "1"}
    planes.create({"id": "1", "name": "a"})
    assert planes["1"].delete({"ignore_not_found": True}) == {"id": "1", "name": "a"}


def test_ids_in_paths_are_for_the_caller_to_quote(planes: Any) -> None:
    """The client puts an id into the path as it is, so reserved characters have to be quoted."""
    odd = "a/b?c#d%2F+|é"
    planes.create({"id": odd, "name": "a"})
    with pytest.raises(TypesenseClientError):
        planes[odd].retrieve()
    assert planes[quote(odd, safe="")].retrieve()["id"] == odd
    assert planes[quote(odd, safe="")].delete() == {"id": odd, "name": "a"}


def test_an_error_that_names_a_quote_is_no_json(planes: Any) -> None:
    """The server doesn't escape what it puts into a message; the client says so."""
    with pytest.raises(ObjectNotFound, match="Invalid JSON response"):
        planes[quote('"', safe="")].retrieve()


def test_numbers_come_back_as_they_were_stored(planes: Any) -> None:
    """64-bit integers and doubles are exact; whole floats stay floats; larger integers don't."""
    numbers = {"hours": -(2**63), "span": 0.1, "seats": 2**31, "other": [2**64 - 1, 1.0, 2**64]}
    planes.create({"id": "1", "name": "a", **numbers})
    assert json.loads(planes.export())["hours"] == -(2**63)
    assert planes.export() == (
        '{"hours":-9223372036854775808,"id":"1","name":"a",'
        '"other":[18446744073709551615,1.0,1.8446744073709552e+19],'
        '"seats":2147483648,"span":0.1}'
    )


def test_documents_without_an_id_are_numbered(planes: Any) -> None:
    """The number counts every new document, named or not."""
    assert planes.create({"name": "a"})["id"] == "0"
    planes.create({"id": "named", "name": "b"})
    assert planes.create({"name": "c"})["id"] == "2"


def test_deletes_by_filter_are_counted(planes: Any) -> None:
    """What fits goes, and truncating takes all."""
    planes.import_([{"id": str(n), "name": "a", "seats": n} for n in range(5)])
    assert planes.delete({"filter_by": "seats:>2"}) == {"num_deleted": 2}
    assert planes.update({"seats": 8}, {"filter_by": "seats:<1"}) == {"num_updated": 1}
    with pytest.raises(RequestMalformed, match="Parameter `filter_by` must be provided."):
        planes.delete({})
    assert planes.delete({"truncate": True}) == {"num_deleted": 3}
