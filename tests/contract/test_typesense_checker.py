"""The checker reads Typesense by itself: what a document stands for, and where it differs."""

from collections.abc import Mapping
from typing import Any

import pytest
from typesense import Client

from local.checker import Collections, Expectation, Ref, Unreadable, check_items, item_values
from local.checker.http import ask
from local.servers.typesense import TypesenseServer
from tests.contract.typesense_sinks import make_target

REGISTERS = "AIRCRAFT#REGISTRY"
MAKER = {"PK": {"S": "ICAO#MANUFACTURERS"}, "SK": {"S": "MFR#A"}, "name": {"S": "A"}}
MAKER_ID = "ICAO%23MANUFACTURERS|MFR%23A"


@pytest.fixture
def held(typesense: TypesenseServer, client: Client) -> Collections:
    """The collections of the four aliases, empty; documents are stored as they come."""
    for alias in Expectation.of_typesense().aliases:
        make_target(client, alias, {"name": "PK", "type": "string", "optional": True})
    return Collections(typesense.url, typesense.api_key)


def post(typesense: TypesenseServer, path: str, body: bytes) -> None:
    ask(typesense.url, "POST", path, body=body, headers={"X-TYPESENSE-API-KEY": typesense.api_key})


def holds(typesense: TypesenseServer, alias: str, *documents: str) -> None:
    for document in documents:
        post(typesense, f"/collections/{alias}/documents", document.encode())


def compared(held: Collections, *images: Mapping[str, Any]) -> Any:
    items = [("core", item_values(image)) for image in images]
    return check_items(items, held, Expectation.of_typesense())


def registration(register: str, mark: str) -> dict[str, Any]:
    return {
        "PK": {"S": f"{REGISTERS}#{register}"},
        "SK": {"S": f"DETAIL#{mark}"},
        "registration": {"S": mark},
        "other_names": {"L": [{"S": "ABERNATHY ADA B"}]},
        "shelf": {"N": "3"},
    }


def test_two_registers_share_a_collection(typesense: TypesenseServer, held: Collections) -> None:
    """Both registers of requirements S3.4 feed `registry`; attributes of no schema are left out."""
    for register, mark in (("FAA", "N1A"), ("FOREIGN", "G-ABCD")):
        id_ = f"AIRCRAFT%23REGISTRY%23{register}|DETAIL%23{mark}"
        document = (
            f'{{"id": "{id_}", "registration": "{mark}", "other_names": ["ABERNATHY ADA B"]}}'
        )
        holds(typesense, "registry", document)
    report = compared(held, registration("FAA", "N1A"), registration("FOREIGN", "G-ABCD"))
    assert (report.items, report.documents, report.mismatches) == (2, 2, 0)


def test_only_images_of_the_system_are_expected(held: Collections) -> None:
    """Those of other organisations and of types are nobody's to search."""
    items = [
        {"PK": {"S": f"IMAGES#ORG#{org}#ENTITY#{kind}#ID#N1"}, "SK": {"S": "IMG#1"}}
        for org, kind in (("SYSTEM", "REGISTRATION"), ("CLUB", "REGISTRATION"), ("SYSTEM", "ICAO"))
    ]
    report = compared(held, *items)
    assert report.unplaced == 2
    assert report.missing == [
        Ref("aircraft_images", "IMAGES%23ORG%23SYSTEM%23ENTITY%23REGISTRATION%23ID%23N1|IMG%231")
    ]


@pytest.mark.parametrize(
    ("document", "different"),
    [
        pytest.param('"name": "A", "type_count": 3', None, id="same"),
        pytest.param('"name": "A", "type_count": 3.0', None, id="same-number-otherwise-written"),
        pytest.param('"name": "B", "type_count": 3', "name: 'A'", id="changed"),
        pytest.param('"name": "A"', "type_count: not in the document", id="less"),
        pytest.param('"name": "A", "type_count": 3, "x": 1', "x: only in", id="more"),
        pytest.param('"name": "A", "type_count": 4', "type_count: 3 in the table, 4", id="number"),
        pytest.param('"name": "A", "type_count": "3"', "type_count", id="number-became-text"),
        pytest.param(
            '"name": "A", "type_count": 3, "_exact": "no JSON"', "_exact: only in", id="no-json"
        ),
    ],
)
def test_a_document_is_held_against_its_item(
    typesense: TypesenseServer, held: Collections, document: str, different: str | None
) -> None:
    """Told with the field's name, or not at all."""
    holds(typesense, "icao_manufacturers", f'{{"id": "{MAKER_ID}", {document}}}')
    report = compared(held, {**MAKER, "type_count": {"N": "3"}})
    if different is None:
        assert report.mismatches == 0
    else:
        ((ref, told),) = report.different
        assert ref == Ref("icao_manufacturers", MAKER_ID)
        assert different in told


def test_an_exact_text_counts_instead_of_what_is_beside_it(
    typesense: TypesenseServer, held: Collections
) -> None:
    """A number of 30 digits is compared to the last one, in the text that keeps it; a null too."""
    digits = "1.23456789012345678901234567891"
    good = rf'"_exact": "{{\"name\": null, \"type_count\": {digits}}}"'
    holds(typesense, "icao_manufacturers", f'{{"id": "{MAKER_ID}", "type_count": 1.2, {good}}}')
    exact = {**MAKER, "name": {"NULL": True}, "type_count": {"N": digits}}
    assert compared(held, exact).mismatches == 0
    other = {**exact, "type_count": {"N": digits[:-1] + "2"}}
    ((_, told),) = compared(held, other).different
    assert "type_count" in told


def test_a_rounded_number_without_its_exact_text_is_told(
    typesense: TypesenseServer, held: Collections
) -> None:
    """A double is what the item says only where it says it whole."""
    holds(
        typesense, "icao_manufacturers", f'{{"id": "{MAKER_ID}", "name": "A", "type_count": 0.1}}'
    )
    assert compared(held, {**MAKER, "type_count": {"N": "0.1"}}).mismatches == 0
    item = {**MAKER, "type_count": {"N": "0.1000000000000000055"}}
    assert len(compared(held, item).different) == 1


def test_missing_and_extra_documents_are_told(
    typesense: TypesenseServer, held: Collections
) -> None:
    """Both directions, by address."""
    holds(typesense, "registry", '{"id": "ghost"}')
    report = compared(held, MAKER)
    assert report.missing == [Ref("icao_manufacturers", MAKER_ID)]
    assert report.extra == [Ref("registry", "ghost")]


def test_a_typesense_that_can_not_be_read_is_named(held: Collections) -> None:
    """A wrong key or a missing collection is no empty one."""
    with pytest.raises(Unreadable, match=r"/collections/registry: 401"):
        Collections(held.url, "wrong").count("registry")
    with pytest.raises(Unreadable, match=r"/collections/absent/documents/export: 404"):
        list(held.all("absent"))
