"""The checker finds every kind of divergence, and never calls nothing equal."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.checker import (
    PLACES,
    Documents,
    Expectation,
    Members,
    Ref,
    Report,
    Unreadable,
    check,
    compare,
    differences,
    document_id,
    exact_json,
    item_values,
)
from local.data.aircraft import aircraft_types, manufacturers, rows
from local.data.catalogue import products
from tests.doubles.in_process import mock_aws
from tests.tables import create_table

ONE = Ref("products", "one")
THIRTY_DIGITS = "1.23456789012345678901234567890"


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A folder of mapping files that declare a few fields of each alias."""
    fields = {
        "icao_aircraft": ["model"],
        "icao_manufacturers": ["name"],
        "products": ["productId", "name", "price", "tags", "dimensions"],
    }
    for alias, names in fields.items():
        body = {"mappings": {"properties": {name: {"type": "text"} for name in names}}}
        (tmp_path / f"{alias}.json").write_text(json.dumps(body))
    return tmp_path


class Planted(Documents):
    """Documents from a dict instead of a server, as JSON texts."""

    def __init__(self, texts: Mapping[Ref, str]) -> None:
        super().__init__("http://planted")
        self._texts = texts

    def all(self, alias: str) -> Iterator[tuple[str, Any]]:
        for ref, text in self._texts.items():
            if ref.alias == alias:
                yield ref.id, exact_json(text)


@pytest.mark.parametrize(
    ("attribute", "document"),
    [
        pytest.param({"N": THIRTY_DIGITS}, THIRTY_DIGITS[:-2] + "10", id="number-30th-digit"),
        pytest.param({"N": "9007199254740993"}, "9007199254740992", id="number-rounded-to-double"),
        pytest.param({"N": "5"}, '"5"', id="number-became-text"),
        pytest.param({"S": "5"}, "5", id="text-became-number"),
        pytest.param({"N": "1"}, "true", id="number-became-boolean"),
        pytest.param({"BOOL": True}, "1", id="boolean-became-number"),
        pytest.param({"NULL": True}, "false", id="null-became-false"),
        pytest.param({"S": ""}, "null", id="text-became-null"),
        pytest.param({"S": "é"}, '"e\\u0301"', id="text-normalised"),
        pytest.param({"N": "1"}, "NaN", id="not-a-number"),
        pytest.param({"B": b"\x00\xff"}, '"AP4="', id="binary-changed"),
        pytest.param({"L": [{"S": "a"}, {"S": "b"}]}, '["b", "a"]', id="list-reordered"),
        pytest.param({"L": [{"S": "a"}]}, '["a", "a"]', id="list-longer"),
        pytest.param({"L": [{"N": "1"}]}, "[true]", id="type-inside-a-list"),
        pytest.param({"SS": ["a", "b"]}, '["a", "c"]', id="set-member-changed"),
        pytest.param({"SS": ["a", "b"]}, '["a", "b", "b"]', id="set-member-twice"),
        pytest.param({"NS": ["1", "2"]}, '["1", "2"]', id="set-members-became-texts"),
        pytest.param({"M": {"a": {"N": "1"}}}, '{"a": 1, "b": 2}', id="map-with-more"),
        pytest.param({"M": {"a": {"N": "1"}}}, "{}", id="map-with-less"),
        pytest.param({"M": {}}, "[]", id="map-became-list"),
    ],
)
def test_a_changed_value_is_found(attribute: dict[str, Any], document: str) -> None:
    """Whatever differs by type or by content is told, with the field's name."""
    expected = item_values({"value": attribute})
    found = list(differences(expected, {"value": exact_json(document)}))
    assert found
    assert all(text.startswith("value") for text in found)


@pytest.mark.parametrize(
    ("attribute", "document"),
    [
        pytest.param({"N": THIRTY_DIGITS}, THIRTY_DIGITS, id="number-to-the-last-digit"),
        pytest.param({"N": "1"}, "1.0", id="integer-or-decimal"),
        pytest.param({"N": "120"}, "1.2E+2", id="exponent"),
        pytest.param({"SS": ["a", "b"]}, '["b", "a"]', id="set-in-any-order"),
        pytest.param({"NS": ["1", "2.5"]}, "[2.50, 1]", id="number-set"),
        pytest.param({"BS": [b"\x00\xff"]}, '["AP8="]', id="binary-set-as-base64"),
        pytest.param({"B": b"\x00\xff"}, '"AP8="', id="binary-as-base64"),
        pytest.param({"NULL": True}, "null", id="null"),
        pytest.param({"M": {"a": {"L": []}}}, '{"a": []}', id="empty-list-in-a-map"),
    ],
)
def test_one_value_in_two_spellings_is_equal(attribute: dict[str, Any], document: str) -> None:
    """What JSON and DynamoDB merely write differently is no divergence."""
    expected = item_values({"value": attribute})
    assert list(differences(expected, {"value": exact_json(document)})) == []


def test_missing_extra_and_different_documents_are_told_apart() -> None:
    """Each of the three lists names the documents it is about."""
    expected = {Ref("products", id_): {"price": Decimal(1)} for id_ in ("same", "lost", "changed")}
    documents = [
        (Ref("products", "same"), {"price": Decimal(1)}),
        (Ref("products", "changed"), {"price": Decimal(2)}),
        (Ref("products", "ghost"), {"price": Decimal(1)}),
    ]
    report = compare(expected, documents, ["products"])
    assert report.missing == [Ref("products", "lost")]
    assert report.extra == [Ref("products", "ghost")]
    assert report.different == [
        (Ref("products", "changed"), "price: 1 in the table, 2 in the document")
    ]
    assert (report.items, report.documents, report.mismatches) == (3, 3, 3)
    assert not report.equal


def test_a_second_document_of_one_id_is_extra() -> None:
    """An alias over two indexes can hold an id twice."""
    report = compare({ONE: {}}, [(ONE, {}), (ONE, {})], ["products"])
    assert report.extra == [ONE]
    assert not report.equal


def test_equal_documents_are_equal() -> None:
    """The report can also be good."""
    report = compare({ONE: {"a": "b"}}, [(ONE, {"a": "b"})], ["products"])
    assert report.equal
    assert report.compared == {"products": 1}


def test_nothing_compared_is_not_equal() -> None:
    """An empty table beside an empty index proves nothing, nor does one empty alias of two."""
    assert not Report().equal
    assert not compare({}, [], ["products"]).equal
    half = compare({ONE: {}}, [(ONE, {})], ["products", "icao_aircraft"])
    assert half.mismatches == 0
    assert half.empty == ["icao_aircraft"]
    assert not half.equal


def test_a_document_has_the_declared_attributes_alone(mappings: Path) -> None:
    """Keys and attributes that the mapping doesn't declare stay in the table."""
    item = item_values(
        {"PK": {"S": "ICAO#AIRCRAFT"}, "SK": {"S": "TYPE#B744#X#Y"}, "model": {"S": "Y"}}
    )
    pair = Expectation(mappings).of("core", item)
    assert pair == (Ref("icao_aircraft", "ICAO%23AIRCRAFT|TYPE%23B744%23X%23Y"), {"model": "Y"})


@pytest.mark.parametrize("hash_key", ["ICAO#VARIANTS", "ICAO#AIRCRAFTS", "XICAO#AIRCRAFT"])
def test_items_of_no_alias_are_expected_nowhere(mappings: Path, hash_key: str) -> None:
    """Key patterns match in full."""
    item = {"PK": hash_key, "SK": "TYPE#A#B#C"}
    assert Expectation(mappings).of("core", item) is None


def test_ids_are_encoded_and_long_ones_hashed() -> None:
    """Parts can't run into each other, numbers have one spelling, 512 bytes is the limit."""
    assert document_id(["a|b", "c d"]) == "a%7Cb|c%20d"
    assert document_id([Decimal("1E+2")]) == "100"
    assert document_id(["x" * 512]) == "x" * 512
    assert document_id(["x" * 513]) == hashlib.sha256(b"x" * 513).hexdigest()


def test_a_mapping_file_that_says_nothing_is_refused(mappings: Path) -> None:
    """Without declared fields every document would compare equal."""
    (mappings / "products.json").write_text('{"mappings": {"properties": {}}}')
    with pytest.raises(Unreadable, match=r"products\.json declares no field"):
        Expectation(mappings)
    (mappings / "products.json").unlink()
    with pytest.raises(Unreadable, match=r"products\.json: FileNotFoundError"):
        Expectation(mappings)


def test_tables_are_held_against_documents(mappings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: scanned items, planted documents, one of each divergence."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        for table, names in {"t-core": ["PK", "SK"], "t-products": ["productId"]}.items():
            create_table(dynamodb, table, *names)
        for hash_key, range_key in [
            ("ICAO#AIRCRAFT", "TYPE#A"),
            ("ICAO#MANUFACTURERS", "MFR#A"),
            ("ICAO#VARIANTS", "V"),
        ]:
            dynamodb.put_item(
                TableName="t-core", Item={"PK": {"S": hash_key}, "SK": {"S": range_key}}
            )
        for id_, price in {"kept": "1.10", "lost": "2", "changed": THIRTY_DIGITS}.items():
            dynamodb.put_item(
                TableName="t-products", Item={"productId": {"S": id_}, "price": {"N": price}}
            )
        texts = {
            Ref("icao_aircraft", "ICAO%23AIRCRAFT|TYPE%23A"): "{}",
            Ref("icao_manufacturers", "ICAO%23MANUFACTURERS|MFR%23A"): "{}",
            Ref("products", "kept"): '{"productId": "kept", "price": 1.1}',
            Ref("products", "changed"): '{"productId": "changed", "price": 1.2345678901234568}',
            Ref("products", "ghost"): '{"productId": "ghost"}',
        }
        tables = {"core": "t-core", "products": "t-products"}
        report = check(dynamodb, tables, Planted(texts), Expectation(mappings))
    assert report.missing == [Ref("products", "lost")]
    assert report.extra == [Ref("products", "ghost")]
    assert [ref for ref, _ in report.different] == [Ref("products", "changed")]
    assert (report.items, report.documents, report.unplaced) == (5, 5, 1)
    assert report.compared == {"icao_aircraft": 1, "icao_manufacturers": 1, "products": 2}


def test_an_unreachable_server_is_named() -> None:
    """The message says which request failed and where."""
    with pytest.raises(Unreadable, match=r"GET http://127\.0\.0\.1:1/products/_count: "):
        Documents("http://127.0.0.1:1").count("products")


def test_every_aircraft_row_becomes_an_item_of_its_own() -> None:
    """10,370 rows, 10,370 keys, and every manufacturer counted once with all its types."""
    source = rows()
    types, makers = aircraft_types(source), manufacturers(source)
    assert len(types) == len({item["SK"] for item in types}) == 10_370
    assert len(makers) == len({item["SK"] for item in makers}) == 1_589
    assert sum(item["type_count"] for item in makers) == 10_370
    assert all(len(item) == 9 for item in types)


def test_an_absent_value_is_left_out() -> None:
    """An empty column becomes no attribute, neither empty text nor null."""
    row = {**rows()[0], "Wake Turbulence": ""}
    (item,) = aircraft_types([row])
    assert "wake_turbulence_category" not in item
    assert item["SK"] == "TYPE#J328#328%20SUPPORT%20SERVICES#Dornier%20328JET"


def test_the_catalogue_is_exact_and_distinct() -> None:
    """Prices are decimals as written, ids differ, and every product has its place."""
    catalogue = products("2026-01-01T00:00:00.000000Z")
    assert len({product["productId"] for product in catalogue}) == len(catalogue) >= 150
    assert all(isinstance(product["price"], Decimal) for product in catalogue)
    washer = next(p for p in catalogue if p["productId"] == "an960-washer-single")
    assert str(washer["price"]) == "0.04666666666666666666666666666666666667"
    assert all(product["tags"] and product["name"] for product in catalogue)


def test_set_members_are_compared_by_value() -> None:
    """A set of numbers equals a list of the same numbers, and of nothing else."""
    expected = Members((Decimal(1), Decimal(2)))
    assert list(differences(expected, [Decimal("2.0"), Decimal(1)])) == []
    assert list(differences(expected, "12")) == [": ['1', '2'] in the table, '12' in the document"]


def test_each_place_is_of_a_table_and_an_alias() -> None:
    """The checker knows the three aliases of requirements S3.4 and S5."""
    assert [place.alias for place in PLACES] == ["icao_aircraft", "icao_manufacturers", "products"]
