"""The Typesense stand-in as the official client meets it: filters, searches, nested fields."""

from typing import Any

import pytest
import typesense.types.document as document_types
from typesense import Client
from typesense.exceptions import ObjectNotFound, TypesenseClientError

from tests.contract.shapes import complaints
from tests.contract.typesense_clients import make

PLANES: list[dict[str, Any]] = [
    {"id": "a320", "name": "Airbus A320-200", "maker": "Airbus", "seats": 180, "jet": True},
    {"id": "a380", "name": "Airbus A380", "maker": "Airbus", "seats": 555, "jet": True},
    {"id": "c172", "name": "Cessna Skyhawk", "maker": "Textron", "seats": 4, "jet": False},
    {"id": "glider", "name": "Schleicher ASK 21", "maker": "Schleicher & Söhne"},
]


@pytest.fixture
def planes(client: Client) -> Any:
    """The documents of a collection that holds PLANES."""
    make(
        client,
        "planes",
        ("name", "string"),
        {"name": "maker", "type": "string", "facet": True},
        {"name": "seats", "type": "int32", "optional": True, "facet": True},
        {"name": "jet", "type": "bool", "optional": True},
    )
    documents: Any = client.collections["planes"].documents
    assert all(line["success"] for line in documents.import_(PLANES))
    return documents


def found(planes: Any, **parameters: Any) -> list[str]:
    answer = planes.search({"q": "*", "query_by": "name", **parameters})
    return [hit["document"]["id"] for hit in answer["hits"]]


@pytest.mark.parametrize(
    ("filter_by", "ids"),
    [
        ("seats:180", ["a320"]),
        ("seats:=[4, 555]", ["a380", "c172"]),
        ("seats:>180", ["a380"]),
        ("seats:<=180", ["a320", "c172"]),
        ("seats:[100..200, 555]", ["a320", "a380"]),
        ("seats:!=4", ["a320", "a380", "glider"]),
        ("seats:!=[4,180]", ["a380", "glider"]),
        ("jet:true", ["a320", "a380"]),
        ("jet:!=true", ["c172", "glider"]),
        ("maker:=airbus", ["a320", "a380"]),
        ("name:airbus", ["a320", "a380"]),
        ("name:=airbus", []),
        ("name:=Airbus A380", ["a380"]),
        ("name:Air*", ["a320", "a380"]),
        ("maker:!=Airbus", ["c172", "glider"]),
        ("maker:=[Textron, `Schleicher & Söhne`]", ["c172", "glider"]),
        ("id:=c172", ["c172"]),
        ("id:[a320, c172, none]", ["a320", "c172"]),
        ("jet:false || maker:=Airbus && seats:>200", ["a380"]),
        ("jet:false || (maker:=Airbus && seats:>200)", ["a380", "c172"]),
        ("", ["a320", "a380", "c172", "glider"]),
    ],
)
def test_filters_choose_documents(planes: Any, filter_by: str, ids: list[str]) -> None:
    """Searches, exports and deletes choose by the same filters."""
    assert sorted(found(planes, filter_by=filter_by)) == ids
    exported = planes.export({"filter_by": filter_by, "include_fields": "id"})
    assert exported == "\n".join(f'{{"id":"{each}"}}' for each in ids)
    if filter_by:
        assert planes.delete({"filter_by": filter_by}) == {"num_deleted": len(ids)}


@pytest.mark.parametrize(
    ("filter_by", "code", "message"),
    [
        ("wings:2", 404, "Could not find a filter field named `wings` in the schema."),
        ("seats", 400, "Could not parse the filter query."),
        ("seats:many", 400, "Error with filter field `seats`: Numerical field has an invalid"),
        ("seats:>x", 400, "Error with filter field `seats`: Not an int32."),
        ("seats:3000000000", 400, "exceeds the range of an int32."),
        ("jet:yes", 400, "Value of filter field `jet` must be `true` or `false`."),
        ("name:=", 400, "Error with filter field `name`: Filter value cannot be empty."),
        ("(seats:1", 400, "Could not parse the filter query: unbalanced parentheses."),
        ("seats:1)", 400, "Could not parse the filter query: unbalanced parentheses."),
    ],
)
def test_a_wrong_filter_is_refused(planes: Any, filter_by: str, code: int, message: str) -> None:
    """A delete by it removes nothing."""
    with pytest.raises(TypesenseClientError) as refused:
        planes.delete({"filter_by": filter_by})
    assert refused.value.args[0] == code
    assert message in refused.value.args[1]
    assert len(planes.export().split("\n")) == len(PLANES)


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        ({"q": "airbus"}, ["a380", "a320"]),
        ({"q": "air"}, ["a380", "a320"]),
        ({"q": "air", "prefix": False}, []),
        ({"q": "a320200"}, ["a320"]),  # other marks than white space don't part words
        ({"q": "skihawk"}, ["c172"]),
        ({"q": "skihawk", "num_typos": 0}, []),
        ({"q": "sohne", "query_by": "name,maker"}, ["glider"]),
        ({"q": "airbus a380"}, ["a380"]),
        ({"q": "*", "sort_by": "seats:asc"}, ["c172", "a320", "a380", "glider"]),
        ({"q": "*", "sort_by": "seats:desc", "per_page": 2, "page": 2}, ["c172", "glider"]),
        ({"q": "*"}, ["glider", "c172", "a380", "a320"]),  # the newest first
    ],
)
def test_searches_find_words(planes: Any, parameters: dict[str, Any], ids: list[str]) -> None:
    """By beginnings, with a typo where nothing fits without, in the order asked for."""
    assert found(planes, **parameters) == ids


def test_a_search_answers_in_the_clients_shape(planes: Any) -> None:
    """Hits, counts of facets and figures are where the client's types say."""
    answer = planes.search(
        {"q": "airbus", "query_by": "name", "facet_by": "maker,seats", "per_page": 1}
    )
    assert not list(complaints(answer, document_types.SearchResponse))
    assert (answer["found"], answer["out_of"], answer["page"]) == (2, 4, 1)
    (hit,) = answer["hits"]
    assert hit["highlight"]["name"]["snippet"] == "<mark>Airbus</mark> A380"
    makers, seats = answer["facet_counts"]
    assert makers["counts"] == [{"count": 2, "highlighted": "Airbus", "value": "Airbus"}]
    assert seats["stats"] == {
        "min": 180.0,
        "max": 555.0,
        "avg": 367.5,
        "sum": 735.0,
        "total_values": 2,
    }


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        ({"q": "a", "query_by": ""}, 400, "No search fields specified for the query."),
        ({"query_by": "wings"}, 404, "Could not find a field named `wings` in the schema."),
        ({"query_by": "seats"}, 400, "Field `seats` should be a string or a string array."),
        ({"facet_by": "jet"}, 404, "Could not find a facet field named `jet` in the schema."),
        (
            {"sort_by": "name:asc"},
            404,
            "Could not find a field named `name` in the schema for sorting.",
        ),
        ({"per_page": 251}, 422, "Only upto 250 hits can be fetched per page."),
        ({"page": -1}, 400, "Parameter `page` must be an unsigned integer."),
        (
            {"q": "x" * 4000},
            400,
            "Query string exceeds max allowed length of 4000."
            " Use the /multi_search end-point for larger payloads.",
        ),
        ({"group_by": "maker"}, 400, "This stand-in for Typesense has no `group_by`."),
    ],
)
def test_a_wrong_search_is_refused(
    planes: Any, parameters: dict[str, Any], code: int, message: str
) -> None:
    """The text names the parameter or field; what the stand-in lacks, it says."""
    with pytest.raises(TypesenseClientError) as refused:
        found(planes, **parameters)
    assert refused.value.args == (code, message)


@pytest.fixture
def nested(client: Client) -> Any:
    make(
        client,
        "fleet",
        {"name": "base", "type": "object"},
        ("base.city", "string"),
        {"name": "planes", "type": "object[]", "optional": True},
        enable_nested_fields=True,
    )
    return client.collections["fleet"].documents


def test_what_lies_in_objects_is_searched_and_kept_as_it_came(nested: Any, client: Client) -> None:
    """Fields found below an object join the schema; the document is stored unflattened."""
    document = {
        "id": "1",
        "base": {"city": "Graz", "runways": 2},
        "planes": [{"seats": 4}, {"seats": 180}],
    }
    nested.create(document)
    assert nested["1"].retrieve() == document
    fields = {f["name"]: f["type"] for f in client.collections["fleet"].retrieve()["fields"]}
    assert fields == {
        "base": "object",
        "base.city": "string",
        "planes": "object[]",
        "base.runways": "int64",
        "planes.seats": "int64[]",
    }
    search = {"q": "graz", "query_by": "base.city", "filter_by": "planes.seats:>100"}
    assert nested.search(search)["found"] == 1
    nested["1"].update({"base": {"runways": 3}})
    assert nested["1"].retrieve()["base"] == {"city": "Graz", "runways": 3}


@pytest.mark.parametrize(
    ("document", "code", "message"),
    [
        ({}, 404, "Field `base` not found."),
        ({"base": "Graz"}, 400, "Field `base` has an incorrect type."),
        (
            {"base": {}},
            400,
            "Field `base.city` has been declared in the schema, but is not found in the document.",
        ),
        ({"base": {"city": 1}}, 400, "Field `base.city` must be a string."),
    ],
)
def test_objects_are_held_against_the_schema(
    nested: Any, document: dict[str, Any], code: int, message: str
) -> None:
    """What is missing or wrong below an object is named by its path."""
    assert nested.import_([document]) == [{"success": False, "code": code, "error": message}]


def test_a_schema_can_be_left_to_documents(client: Client) -> None:
    """With `.*` of type auto a field takes the type of its first value; later ones are coerced."""
    make(client, "any", {"name": ".*", "type": "auto"})
    documents: Any = client.collections["any"].documents
    documents.create({"id": "1", "count": 1, "tags": ["a"], "ratio": 0.5, "none": None})
    fields = {f["name"]: f["type"] for f in client.collections["any"].retrieve()["fields"]}
    assert fields == {".*": "auto", "count": "int64", "tags": "string[]", "ratio": "float"}
    assert documents.create({"id": "2", "count": "7"}) == {"id": "2", "count": 7}
    with pytest.raises(TypesenseClientError, match="Field `count` must be an int64."):
        documents.create({"count": "many"})


def test_fields_are_added_and_dropped(planes: Any, client: Client) -> None:
    """Stored documents have to fit what is added, and keep what is dropped."""
    collection: Any = client.collections["planes"]
    with pytest.raises(TypesenseClientError) as refused:
        collection.update({"fields": [{"name": "wings", "type": "int32"}]})
    assert refused.value.args == (
        400,
        "Field `wings` has been declared in the schema, but is not found in the documents already"
        " present in the collection. If you still want to add this field,"
        " set it as `optional: true`.",
    )
    with pytest.raises(TypesenseClientError, match="`name` is already part of the schema"):
        collection.update({"fields": [{"name": "name", "type": "string"}]})
    with pytest.raises(TypesenseClientError, match="`tail` is not part of collection schema"):
        collection.update({"fields": [{"name": "tail", "drop": True}]})
    collection.update(
        {
            "fields": [
                {"name": "wings", "type": "int32", "optional": True},
                {"name": "jet", "drop": True},
            ]
        }
    )
    names = [field["name"] for field in collection.retrieve()["fields"]]
    assert names == ["name", "maker", "seats", "wings"]
    assert planes["a320"].retrieve()["jet"] is True
    assert planes.create({"name": "x", "maker": "y", "jet": "any"})["jet"] == "any"


def test_an_alias_is_a_collections_other_name(planes: Any, client: Client) -> None:
    """Documents are written and searched by it; it can point elsewhere, or nowhere."""
    assert client.aliases.upsert("current", {"collection_name": "planes"}) == {
        "name": "current",
        "collection_name": "planes",
    }
    aliased: Any = client.collections["current"].documents
    aliased.upsert({"id": "new", "name": "Boeing", "maker": "Boeing"})
    assert planes["new"].retrieve() == aliased["new"].retrieve()
    assert aliased.search({"q": "boeing", "query_by": "name"})["found"] == 1
    make(client, "planes-v2", ("name", "string"))
    client.aliases.upsert("current", {"collection_name": "planes-v2"})
    assert aliased.export() == ""
    assert client.aliases.retrieve() == {
        "aliases": [{"name": "current", "collection_name": "planes-v2"}]
    }
    client.collections["planes-v2"].delete()
    with pytest.raises(ObjectNotFound, match="Collection not found"):
        aliased.export()
    assert client.aliases["current"].delete()["collection_name"] == "planes-v2"
    with pytest.raises(ObjectNotFound, match="Collection not found"):
        client.aliases["current"].retrieve()


def test_an_alias_may_not_take_a_collections_name(planes: Any, client: Client) -> None:
    """The other way round there is no check, and the collection's name wins."""
    del planes
    with pytest.raises(TypesenseClientError) as refused:
        client.aliases.upsert("planes", {"collection_name": "other"})
    assert refused.value.args == (
        500,
        "Name `planes` conflicts with an existing collection name.",
    )
    client.aliases.upsert("other", {"collection_name": "planes"})
    make(client, "other", ("name", "string"))
    assert client.collections["other"].documents.export() == ""
