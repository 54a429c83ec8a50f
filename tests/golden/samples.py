"""The input of the golden files: items, stream records, messages."""

import base64
import json
from collections.abc import Sequence
from typing import Any, Final

from tests.golden.aws import BUCKET
from tests.golden.plain import Json
from tests.records import CORE, PRODUCTS, core_keys, stream_record

NOW: Final = 1_800_000_100.0  # past the records of tests/records.py
DAY: Final = 24 * 3600.0

# ── Items ─────────────────────────────────────────────────────────────────────────────────────────

KETTLE: Final = {"name": {"S": "Kettle"}, "price": {"N": "5.10"}}
C172: Final = {
    "type_designator": {"S": "C172"},
    "manufacturer": {"S": "CESSNA / Reims"},
    "model": {"S": "172 #ü"},
}
N1: Final = {"registration": {"S": "N1"}, "n_number": {"S": "1"}}
ENTITY: Final = {
    "org_id": {"S": "SYSTEM"},
    "entity_type": {"S": "REGISTRATION"},
    "entity_id": {"S": "N1"},
}
EXACT: Final = "3.14159265358979323846264338327950288"
# By model: table, keys and the other attributes of an item.
ITEMS: Final[dict[str, tuple[str, Json, Json]]] = {
    "Product": (
        PRODUCTS,
        {"productId": {"S": "p"}},
        {
            **KETTLE,
            "tags": {"L": [{"S": "steel"}, {"S": "naïve"}]},
            "in_stock": {"BOOL": True},
            "dimensions": {"M": {"height": {"N": EXACT}, "odd": {"NULL": True}}},
            "colours": {"SS": ["red", "blue"]},  # no field of the model
            "updated_at": {"S": "2026-11-21T08:00:00.5Z"},
        },
    ),
    "IcaoAircraft": (
        CORE,
        core_keys("ICAO#AIRCRAFT", "TYPE#C172#CESSNA / Reims#172 #ü"),
        {**C172, "engine_count": {"S": "1"}},
    ),
    "IcaoManufacturer": (
        CORE,
        core_keys("ICAO#MANUFACTURERS", "MFR#CESSNA"),
        {"name": {"S": "CESSNA"}, "type_count": {"N": "12"}},
    ),
    "FaaRegistration": (
        CORE,
        core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#N1"),
        {**N1, "other_names": {"L": [{"S": "ÆØÅ"}]}, "kit_model": {"NULL": True}},
    ),
    "ForeignRegistration": (
        CORE,
        core_keys("AIRCRAFT#REGISTRY#FOREIGN", "DETAIL#D-EABC"),
        {"registration": {"S": "D-EABC"}, "operator": {"S": "LH"}},
    ),
    "FaaLink": (CORE, core_keys("FAA#LINKS", "MFR_MDL_CODE#05609#SN#1"), C172),
    "IcaoImage": (
        CORE,
        core_keys("IMAGES#ORG#ACME#ENTITY#ICAO#ID#C172#x", "IMG#1"),
        {"org_id": {"S": "ACME"}, "entity_type": {"S": "ICAO"}, "entity_id": {"S": "C172#x"}},
    ),
    "RegistrationImage": (
        CORE,
        core_keys("IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1", "IMG#1"),
        {**ENTITY, "width": {"N": "640"}, "url": {"S": "https://example.com/1"}},
    ),
    "RegistrationImage of another organisation": (
        CORE,
        core_keys("IMAGES#ORG#ACME#ENTITY#REGISTRATION#ID#N1", "IMG#1"),
        {**ENTITY, "org_id": {"S": "ACME"}},
    ),
    "DefaultEntityImage": (CORE, core_keys("IMAGES#ORG#SYSTEM", "DEFAULT"), {}),
    "DefaultImageLookup": (
        CORE,
        core_keys("DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#ICAO", "ID#C172"),
        {},
    ),
    "IcaoMatcher": (CORE, core_keys("ICAO#MATCHER", "TYPE#C172#CESSNA#172"), {}),
    "IcaoVariant": (CORE, core_keys("ICAO#VARIANTS", "Skyhawk"), {}),
}


def binary(text: str) -> str:
    """Binary as a stream record holds it."""
    return base64.b64encode(text.encode()).decode()


def record(of: str, number: int, how: str = "INSERT", **given: Any) -> Json:
    """A stream record of the item of the model *of*."""
    table, keys, rest = ITEMS[of]
    new = None if how == "REMOVE" else rest
    old = None if how == "INSERT" else rest
    return stream_record(keys, new, old=old, table=table, number=number, **given)


def product(id_: str, number: int, new: Json = KETTLE, **given: Any) -> Json:
    return stream_record({"productId": {"S": id_}}, new, table=PRODUCTS, number=number, **given)


def gone(key: Json, number: int, **given: Any) -> Json:
    """The record of a deleted product; *key* may be of any type."""
    return stream_record({"productId": key}, None, table=PRODUCTS, number=number, **given)


# ── Keys, ids, versions ───────────────────────────────────────────────────────────────────────────

KEYS: Final[list[Json]] = [
    *({"S": text} for text in ("p", "a b", "a|b", "a/b", "a%2Fb", "..", "é", "日本", "😀", "\0\n")),
    *({"S": text} for text in ("-._~", "+=&?#", "a" * 512, "a" * 513, "é" * 90, "'\"\\")),
    *({"N": text} for text in ("1000", "1E3", "1e+3", "1000.00", "-0", "0.10", "1E-130", "-1.5")),
    {"N": "12345678901234567890123456789012345678"},
    {"B": binary("a binary key")},
    {"B": "AAE="},
    {"B": "AAF="},  # the same bytes: the last letter has spare bits
]
COMPOSITE: Final = [
    ("ICAO#AIRCRAFT", "TYPE#C172#CESSNA#172"),
    ("ICAO#AIRCRAFT", "TYPE#A|B"),
    ("ICAO#AIRCRAFT", "TYPE#" + "é" * 90),
    ("ICAO#MANUFACTURERS", "MFR#日本 / a+b"),
]
# Seconds and sequence numbers.
MOMENTS: Final[list[tuple[float, str]]] = [
    (1_800_000_000, "000000000000000000001"),
    (1_800_000_000, "000000000000999999999"),
    (1_800_000_000, "000000000001000000000"),
    (1_800_000_000, "9999999999999999999999999999999999999999"),
    (1_800_000_000.75, "112300000000012345678901"),
    (1, "000000000000000000000"),
]
# Images of products, all refused since they lack a price.
IMAGES: Final[dict[str, Json]] = {
    "empty": {},
    "text": {"a": {"S": "x"}},
    "text, and a type of its own": {"a": {"B": "eA=="}},
    "number": {"a": {"N": "1"}},
    "number, written otherwise": {"a": {"N": "1.0"}},
    "set": {"a": {"SS": ["x", "y"]}, "b": {"NS": ["1", "2"]}, "c": {"BS": ["eA==", "eQ=="]}},
    "set, in another order": {
        "c": {"BS": ["eQ==", "eA=="]},
        "b": {"NS": ["2", "1"]},
        "a": {"SS": ["y", "x"]},
    },
    "list": {"a": {"L": [{"S": "x"}, {"SS": ["b", "a"]}, {"M": {"b": {"NULL": True}}}]}},
    "list, in another order": {"a": {"L": [{"SS": ["a", "b"]}, {"S": "x"}]}},
    "map of sets": {"a": {"M": {"b": {"SS": ["y", "x"]}, "c": {"BOOL": False}}}},
    "odd characters": {"é": {"S": "日本 \u2028 \0"}},
    "lone surrogate": {"a": {"S": "\ud800"}},
    "malformed": {"a": {"SS": "x"}, "b": 5},
}
# Targets and ids of documents; the last ones hold half of a surrogate pair.
DOCUMENTS: Final = [
    *(("registry", f"AIRCRAFT%23REGISTRY%23FAA|DETAIL%23N{n}") for n in range(1, 81)),
    *(("icao_aircraft", f"ICAO%23AIRCRAFT|TYPE%23C{n}%23CESSNA") for n in range(40)),
    *(("icao_manufacturers", f"m{n}") for n in range(30)),
    *(("aircraft_images", f"{n:064x}") for n in range(20)),
    *(("registry", text) for text in ("a", "b", "", " ", ".", "..", "a\0b", "\0", "a" * 512)),
    *((f"é{n}", f"日本{n}") for n in range(10)),
    *(("registry", chr(0x1F600 + n)) for n in range(5)),
    *(("registry", f"{chr(0xD800 + n)}x") for n in range(5)),
    ("\ud800", "\udfff"),
]
# Registrations whose documents share a lane.
NEIGHBOURS: Final = ("N1", "N7", "N29")


def registration(name: str, number: int, /, **texts: str) -> Json:
    keys = core_keys("AIRCRAFT#REGISTRY#FAA", f"DETAIL#{name}")
    new = {"registration": {"S": name}, "n_number": {"S": name[1:]}}
    more = {attribute: {"S": text} for attribute, text in texts.items()}
    return stream_record(keys, {**new, **more}, number=number)


# ── Messages ──────────────────────────────────────────────────────────────────────────────────────


def parked_keys(
    *ids: str, sink: str | None = "opensearch", ages_s: Sequence[float] = (), **given: Any
) -> Json:
    """A message of the resync queue as it is sent today; *ages_s*: how long each key waits."""
    keys: list[Json] = [
        {"table": PRODUCTS, "keys": {"productId": {"S": id_}}, "after": 1_800_000_000_000_000_001}
        for id_ in ids
    ]
    for key, age_s in zip(keys, ages_s, strict=False):
        key["since"] = NOW - age_s
    schema = 1 if sink else 2
    return {"schema": schema, "sink": sink, "tries": 0, "since": NOW, "keys": keys, **given}


def lane(*actions: Json, schema: int = 1) -> Json:
    """A message of a lane."""
    return {"schema": schema, "actions": list(actions)}


def action(name: str, **given: Any) -> Json:
    """An upsert of a registration; without a *document* the service has to read its item."""
    return {
        "action": "upsert",
        "collection": "registry",
        "id": name,
        "version": 1_800_000_000_000_000_001,
        "source": {"table": CORE, "keys": core_keys("AIRCRAFT#REGISTRY#FAA", f"DETAIL#{name}")},
        **given,
    }


def given_up(records: list[Json]) -> Json:
    """The object that Lambda writes for a batch that it gave up on."""
    return {**ON_FAILURE, "payload": json.dumps({"Records": records})}


STREAM: Final = f"arn:aws:dynamodb:us-east-1:123456789012:table/{PRODUCTS}/stream/label"
CONTEXT: Final = {
    "requestId": "request",
    "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:stream",
    "condition": "RetryAttemptsExhausted",
    "approximateInvokeCount": 4,
}
ON_FAILURE: Final = {
    "requestContext": CONTEXT,
    "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
    "version": "1.0",
    "timestamp": "2026-11-21T08:00:00.000Z",
    "DDBStreamBatchInfo": {
        "shardId": "shard-1",
        "startSequenceNumber": "1",
        "endSequenceNumber": "9",
        "batchSize": 9,
        "streamArn": STREAM,
    },
}
OBJECT: Final = "aws/lambda/uuid/shard 1/2026/11/21/one"


def created(key: str = "aws/lambda/uuid/shard+1/2026/11/21/one") -> Json:
    """S3's message about an object that Lambda has written."""
    where = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 1}}
    return {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": where}]}


INVOCATION: Final[Json] = {
    "requestContext": CONTEXT,
    "requestPayload": {"command": "recover"},
    "responsePayload": {
        "errorType": "Unavailable",
        "errorMessage": "no answer",
        "stackTrace": ["a line\n", "another\n"],
    },
    "timestamp": "2026-11-21T08:00:00.123Z",
}

# Records that are malformed, before any model looks at them.
_SOUND: Final = product("odd", 70)


def _without(name: str, **given: Any) -> Json:
    body = {key: value for key, value in _SOUND["dynamodb"].items() if key != name}
    return {**_SOUND, "dynamodb": {**body, **given}, "eventID": f"without-{name}"}


UNREADABLE: Final[dict[str, Json]] = {
    "a text": "a text",
    "nothing": {},
    "no body": {**_SOUND, "dynamodb": None, "eventID": "no body"},
    "another event": {**_SOUND, "eventName": "UPSERT", "eventID": "another"},
    "no keys": _without("Keys"),
    "malformed keys": _without("Keys", Keys={"productId": {"S": 5}}),
    "keys of another table": _without("Keys", Keys={"PK": {"S": "x"}}, NewImage={"PK": {"S": "x"}}),
    "no number": _without("SequenceNumber"),
    "no time": _without("ApproximateCreationDateTime"),
    "no image": _without("NewImage"),
    "another item's image": _without("NewImage", NewImage={"productId": {"S": "other"}}),
    "no table": {**_SOUND, "eventSourceARN": "arn:aws:kinesis:x", "eventID": ""},
    "half of a surrogate pair": {
        **_without("Keys", Keys={"productId": {"S": "\ud800"}}),
        "eventID": "surrogate",
    },
}
