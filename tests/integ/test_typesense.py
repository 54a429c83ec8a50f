"""Typesense, default images and counters on the deployed service, from the table to the client."""

from collections.abc import Iterator
from typing import Any

import pytest
from typesense import Client

from local.checker import (
    Collections,
    Expectation,
    check_counters,
    check_default_images,
    check_items,
    read_tables,
)
from local.servers.typesense import TypesenseServer
from local.stack import Stack
from tests.integ.test_stack import document
from tests.integ.test_stack import put as put_product
from tests.integ.waiting import delivered, open_letters, parked, queued, quiet, until

REGISTRY, LINKS = "AIRCRAFT#REGISTRY#FAA", "FAA#LINKS"
IMAGES = "IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1"
DERIVED = ("ICAO#MATCHER", "DEFAULT_IMAGES#")


@pytest.fixture(scope="module")
def typesense(collected: TypesenseServer) -> Iterator[Client]:
    """The official client, as an administrator."""
    with collected.client() as client:
        yield client


@pytest.fixture(autouse=True)
def _empty(stack: Stack, typesense: Client) -> Iterator[None]:
    """Each test finds empty tables, and what it wrote, once removed, leaves nothing derived."""
    yield
    stack.typesense.start()
    client, tables = stack.client("dynamodb"), stack.tables
    for item in client.scan(TableName=tables["core"])["Items"]:
        if not item["PK"]["S"].startswith(DERIVED) and item["SK"]["S"] != "DEFAULT":
            remove(stack, item["PK"]["S"], item["SK"]["S"])
    for item in client.scan(TableName=tables["products"])["Items"]:
        client.delete_item(TableName=tables["products"], Key={"productId": item["productId"]})
    quiet(stack)
    assert client.scan(TableName=tables["core"])["Items"] == []
    assert {each["num_documents"] for each in typesense.collections.retrieve()} == {0}
    assert open_letters(stack) == []


def put(stack: Stack, pk: str, sk: str, **attributes: str) -> None:
    values = {"PK": pk, "SK": sk, **attributes}
    stack.client("dynamodb").put_item(
        TableName=stack.tables["core"], Item={name: {"S": value} for name, value in values.items()}
    )


def remove(stack: Stack, pk: str, sk: str) -> None:
    stack.client("dynamodb").delete_item(
        TableName=stack.tables["core"], Key={"PK": {"S": pk}, "SK": {"S": sk}}
    )


def aircraft(stack: Stack, n: int, name: str) -> None:
    put(stack, REGISTRY, f"DETAIL#N{n}", registration=f"N{n}", n_number=str(n), name=name)


def image(stack: Stack, number: int) -> None:
    named = {"org_id": "SYSTEM", "entity_type": "REGISTRATION", "entity_id": "N1"}
    put(stack, IMAGES, f"IMG#{number}", url=f"https://images.example.org/{number}", **named)


def link(stack: Stack, serial: int, model: str) -> None:
    names = {"type_designator": "C172", "manufacturer": "CESSNA", "model": model}
    put(stack, LINKS, f"MFR_MDL_CODE#2072418#SN#{serial}", **names)


def row(stack: Stack, pk: str, sk: str) -> Any:
    key = {"PK": {"S": pk}, "SK": {"S": sk}}
    found = stack.client("dynamodb").get_item(
        TableName=stack.tables["core"], Key=key, ConsistentRead=True
    )
    return found.get("Item")


def names(typesense: Client) -> list[str]:
    """What a user who searches the register for a name finds."""
    documents = typesense.collections["registry"].documents
    found = documents.search({"q": "smith", "query_by": "name"})
    return sorted(str(hit["document"]["name"]) for hit in found["hits"])


def all_equal(stack: Stack) -> None:
    """Every sink holds what the tables say, by a checker that shares no code with the service."""
    items = read_tables(stack.client("dynamodb"), stack.tables)
    held = Collections(stack.typesense_url, stack.typesense_api_key)
    assert check_items(items, held, Expectation.of_typesense()).mismatches == 0
    assert check_counters(items).drift == []
    assert check_default_images(items).invalid == []


def test_an_aircraft_is_found_changed_and_gone(stack: Stack, typesense: Client) -> None:
    """From PutItem through stream, queue, worker and roles to the official client."""
    aircraft(stack, 1, "SMITH JOHN")
    assert until("the aircraft to be found", lambda: names(typesense)) == ["SMITH JOHN"]
    aircraft(stack, 1, "SMITH JANE")
    until("the change to be found", lambda: names(typesense) == ["SMITH JANE"])
    remove(stack, REGISTRY, "DETAIL#N1")
    until("the aircraft to be gone", lambda: names(typesense) == [])


def test_an_entity_has_a_default_image_for_as_long_as_it_has_images(
    stack: Stack, typesense: Client
) -> None:
    """Its row, and the copy for readers; the images themselves are found in Typesense."""

    def default() -> list[Any]:
        lookup = row(stack, "DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION", "ID#N1")
        found = [row(stack, IMAGES, "DEFAULT"), lookup]
        return [each["image"]["S"] if each else None for each in found]

    image(stack, 1)
    delivered(stack)
    assert default() == ["IMG#1", "IMG#1"]
    image(stack, 2)
    delivered(stack)
    assert default() == ["IMG#1", "IMG#1"]  # it stays for as long as it is there
    remove(stack, IMAGES, "IMG#1")
    delivered(stack)
    assert default() == ["IMG#2", "IMG#2"]
    quiet(stack)
    assert (
        typesense.collections["aircraft_images"].documents.search({"q": "*", "query_by": "url"})[
            "found"
        ]
        == 1
    )
    all_equal(stack)
    remove(stack, IMAGES, "IMG#2")
    delivered(stack)
    assert default() == [None, None]


def test_links_are_counted_where_they_point(stack: Stack) -> None:
    """In transactions that the function's role has leave for."""

    def counted() -> dict[str, int]:
        rows = stack.client("dynamodb").query(
            TableName=stack.tables["core"],
            KeyConditionExpression="PK = :matcher",
            ExpressionAttributeValues={":matcher": {"S": "ICAO#MATCHER"}},
        )["Items"]
        return {each["model"]["S"]: int(each["count"]["N"]) for each in rows}

    for serial in range(30):
        link(stack, serial, "172")
    delivered(stack)
    assert counted() == {"172": 30}
    for serial in range(10):
        link(stack, serial, "172 SKYHAWK")
    remove(stack, LINKS, "MFR_MDL_CODE#2072418#SN#29")
    delivered(stack)
    assert counted() == {"172": 19, "172 SKYHAWK": 10}
    all_equal(stack)


def test_a_key_that_typesense_refuses_loses_nothing(stack: Stack, typesense: Client) -> None:
    """Rotated there first: until the secret has the new one, keys are parked, and then written."""
    for key in typesense.keys.retrieve()["keys"]:
        typesense.keys[key["id"]].delete()
    for n in range(5):
        aircraft(stack, n, f"SMITH {n}")
    until("the worker to park what was refused", lambda: parked(stack))
    assert names(typesense) == []
    stack.give_typesense_key()
    quiet(stack)
    assert names(typesense) == [f"SMITH {n}" for n in range(5)]
    all_equal(stack)


def test_an_outage_of_typesense_delays_nobody_else(stack: Stack, typesense: Client) -> None:
    """OpenSearch, counters and images go on; Typesense has it all once it is back."""
    aircraft(stack, 1, "SMITH BEFORE")
    until("the aircraft to be found", lambda: names(typesense))
    stack.typesense.stop()
    aircraft(stack, 1, "SMITH MEANWHILE")
    aircraft(stack, 2, "SMITH MEANWHILE")
    link(stack, 1, "172")
    image(stack, 1)
    put_product(stack, "kettle", name={"S": "Kettle"}, price={"N": "12.5"})
    delivered(stack)
    assert document(stack, "kettle")["price"] == 12.5
    assert row(stack, "ICAO#MATCHER", "TYPE#C172#CESSNA#172")["count"] == {"N": "1"}
    assert row(stack, IMAGES, "DEFAULT")["image"] == {"S": "IMG#1"}
    until("the worker to have parked it all", lambda: parked(stack) and not queued(stack))
    stack.typesense.start()
    quiet(stack)
    assert names(typesense) == ["SMITH MEANWHILE", "SMITH MEANWHILE"]
    all_equal(stack)


def test_without_typesense_all_else_goes_on(stack: Stack, typesense: Client) -> None:
    """As where none runs: what is for it waits on its queue, and nothing is parked or lost."""
    stack.let_typesense_work(False)
    try:
        aircraft(stack, 1, "SMITH LATER")
        put_product(stack, "meanwhile", name={"S": "x"}, price={"N": "1"})
        delivered(stack)
        assert document(stack, "meanwhile")
        assert queued(stack)
        assert not parked(stack)
        assert names(typesense) == []
    finally:
        stack.let_typesense_work(True)
    until("the aircraft to be found", lambda: names(typesense) == ["SMITH LATER"])
