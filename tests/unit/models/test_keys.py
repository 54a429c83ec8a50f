"""Which items of the core table are of which model, if any (requirements S3.4 to S3.6)."""

import pytest

from sync.sinks.typesense import Typesense
from tests.records import PRODUCTS
from tests.unit.models.core import REGISTRY, model_of

ICAO = "IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#B744"
REGISTERED = "IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1"
ELSEWHERE = "IMAGES#ORG#ACME#ENTITY#REGISTRATION#ID#N1"

MATCHES = {
    "FaaRegistration": [
        ("AIRCRAFT#REGISTRY#FAA", "DETAIL#N12345"),
        ("AIRCRAFT#REGISTRY#FAA", "DETAIL#a#b\n"),
    ],
    "ForeignRegistration": [("AIRCRAFT#REGISTRY#FOREIGN", "DETAIL#G-ABCD")],
    "IcaoAircraft": [("ICAO#AIRCRAFT", "TYPE#B744#BOEING#747-400")],
    "IcaoManufacturer": [("ICAO#MANUFACTURERS", "MFR#BOEING")],
    "IcaoVariant": [("ICAO#VARIANTS", "747"), ("ICAO#VARIANTS", "TYPE#B744")],
    "FaaLink": [
        ("FAA#LINKS", "MFR_MDL_CODE#0560917#SN#17265684"),
        ("FAA#LINKS", "MFR_MDL_CODE#1#SN#2#SN#3"),
    ],
    "IcaoMatcher": [("ICAO#MATCHER", "TYPE#C172#CESSNA#172")],
    "IcaoImage": [
        (ICAO, "IMG#2026-01-01"),
        (ICAO, "IMG#"),
        ("IMAGES#ORG#ACME#ENTITY#ICAO#ID#B744#2", "IMG#1"),
    ],
    "RegistrationImage": [
        (REGISTERED, "IMG#1"),
        (ELSEWHERE, "IMG#1"),
        ("IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#\n", "IMG#1"),
    ],
    "UnknownImage": [
        ("IMAGES#", "IMG#1"),
        ("IMAGES#ORG#SYSTEM#ENTITY#AIRPORT#ID#JFK", "IMG#1"),
        ("IMAGES#ORG#SYSTEM#ENTITY#icao#ID#B744", "IMG#1"),
        ("IMAGES#ORG#SYSTEM#ENTITY#ICAOS#ID#B744", "IMG#1"),
        ("IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#", "IMG#1"),  # of which one?
        ("IMAGES#ORG##ENTITY#ICAO#ID#B744", "IMG#1"),
        ("IMAGES#ORG#A#B#ENTITY#ICAO#ID#B744", "IMG#1"),
    ],
    "DefaultEntityImage": [(ICAO, "DEFAULT"), (REGISTERED, "DEFAULT")],
    "DefaultImageLookup": [("DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#ICAO", "ID#B744")],
    None: [
        ("AIRCRAFT#REGISTRY#FAA", "DETAIL#"),
        ("AIRCRAFT#REGISTRY#FAA", "DETAIL"),
        ("AIRCRAFT#REGISTRY#FAA", "DETAILS#N1"),
        ("AIRCRAFT#REGISTRY#FAA", "detail#N1"),
        ("AIRCRAFT#REGISTRY#FAA", "OWNER#N1"),
        ("AIRCRAFT#REGISTRY#FAA", " DETAIL#N1"),
        ("AIRCRAFT#REGISTRY#FAA#1", "DETAIL#N1"),
        ("AIRCRAFT#REGISTRY#FAA\n", "DETAIL#N1"),
        ("aircraft#registry#faa", "DETAIL#N1"),
        ("XAIRCRAFT#REGISTRY#FAA", "DETAIL#N1"),
        ("AIRCRAFT#REGISTRY", "DETAIL#N1"),
        ("AIRCRAFT#REGISTRY#FOREIGNER", "DETAIL#G-ABCD"),
        ("AIRCRAFT#REGISTRY#FOREIGN", "DETAIL#"),
        ("ICAO#AIRCRAFT", "TYPE#"),
        ("ICAO#AIRCRAFT", "TYPES#B744"),
        ("ICAO#AIRCRAFT", "MFR#BOEING"),
        ("ICAO#MANUFACTURERS", "MFR#"),
        ("ICAO#MANUFACTURERS", "TYPE#B744"),
        ("ICAO#MANUFACTURER", "MFR#BOEING"),
        ("ICAO#VARIANT", "747"),
        ("ICAO#MATCHER", "COUNT#C172"),
        ("FAA#LINKS", "MFR_MDL_CODE##SN#1"),
        ("FAA#LINKS", "MFR_MDL_CODE#1#SN#"),
        ("FAA#LINKS", "MFR_MDL_CODE#1"),
        ("FAA#LINKS", "MFR_MDL_CODE#1#sn#1"),
        ("FAA#LINKS", "SN#1#MFR_MDL_CODE#1"),
        ("FAA#LINK", "MFR_MDL_CODE#1#SN#1"),
        (ICAO, "IMG"),
        (ICAO, "IMAGE#1"),
        (ICAO, "img#1"),
        (ICAO, "DEFAULT#1"),
        ("IMAGES", "IMG#1"),
        ("IMAGE#ORG#SYSTEM#ENTITY#ICAO#ID#B744", "IMG#1"),
        ("XIMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#B744", "IMG#1"),
        ("DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#ICAO", "IMG#1"),
    ],
}

COLLECTIONS = {
    "FaaRegistration": "registry",
    "ForeignRegistration": "registry",
    "RegistrationImage": "aircraft_images",
    "IcaoAircraft": "icao_aircraft",
    "IcaoManufacturer": "icao_manufacturers",
}


@pytest.mark.parametrize(
    ("pk", "sk", "model"), [(*keys, model) for model, of in MATCHES.items() for keys in of]
)
def test_keys_name_a_model(pk: str, sk: str, model: str | None) -> None:
    """In full, and never two: an item that is nearly one of a model's is none."""
    assert model_of(pk, sk) == model


def test_every_model_of_the_table_is_named_here() -> None:
    """A new one has its keys written down, and what comes near them."""
    of_core = {m.__name__ for m in REGISTRY.models if m.route and "core" in m.route.table}
    assert of_core == {name for name in MATCHES if name}


@pytest.mark.parametrize("table", [PRODUCTS, "stream-sync-prod-core", "stream-sync-test-core-2"])
def test_other_tables_hold_none_of_them(table: str) -> None:
    """Nor another stage's. (The products have other key attributes.)"""
    if table != PRODUCTS:
        assert model_of("ICAO#AIRCRAFT", "TYPE#B744", table) is None
    assert REGISTRY.tables.get(table) in (None, ("productId",))


def test_each_model_has_the_collection_that_the_source_has() -> None:
    """Requirements S3.4's table."""
    routes = {model.__name__: model.route for model in REGISTRY.models if model.route}
    found = {name: route.into.get(Typesense) for name, route in routes.items()}
    assert {name: target for name, target in found.items() if target} == COLLECTIONS
