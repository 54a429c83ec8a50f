"""Events that were altered on their way, and a service without a world to meet them in."""

import copy
import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

from botocore.exceptions import ClientError
from hypothesis import strategies as st

from sync.aws.keys import Source
from sync.lanes.messages import Action, pack
from sync.recovery.parking import Parked, ParkedMessage
from sync.service import Service
from sync.sinks.counters import Counters
from sync.sinks.default_image import DefaultImage
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense
from sync.writing.op import Op
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import one_by_one
from tests.doubles.wiring import invoke
from tests.records import CORE, PRODUCTS, core_keys, stream_record
from tests.settings import ENV, REGION

Json = Any
QUEUES: Final = {
    "resync": ENV["RESYNC_QUEUE_URL"],
    "dead letters": ENV["DEAD_LETTER_QUEUE_URL"],
    "typesense": ENV["TYPESENSE_QUEUE_URL"],
    "typesense dead letters": ENV["TYPESENSE_DEAD_LETTER_QUEUE_URL"],
}


class Conditional(ClientError):
    """A condition that does not hold."""


class NoSuchKey(ClientError):
    """An object that is not there."""


class Cloud:
    """Clients of services that take everything; tables are empty but for dead letters."""

    exceptions = SimpleNamespace(ConditionalCheckFailedException=Conditional, NoSuchKey=NoSuchKey)

    def __init__(self) -> None:
        self.published: list[str] = []
        self.sent: list[str] = []
        self.rows: dict[str, Any] = {}
        self.objects: dict[str, bytes] = {}

    def __call__(self, service: str) -> Any:
        return self

    def publish_batch(self, **given: Any) -> Any:
        self.published += [entry["Message"] for entry in given["PublishBatchRequestEntries"]]
        return {}

    def send_message_batch(self, **given: Any) -> Any:
        self.sent += [entry["MessageBody"] for entry in given["Entries"]]
        return {"Successful": [{"Id": entry["Id"]} for entry in given["Entries"]]}

    def change_message_visibility(self, **_: Any) -> Any:
        return {}

    def put_object(self, **given: Any) -> Any:
        self.objects[given["Key"]] = given["Body"]
        return {}

    def get_object(self, **given: Any) -> Any:
        if given["Key"] not in self.objects:
            raise NoSuchKey({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        body = self.objects[given["Key"]]
        return {"Body": SimpleNamespace(read=lambda: body)}

    def delete_object(self, **given: Any) -> Any:
        self.objects.pop(given["Key"], None)
        return {}

    def batch_get_item(self, **given: Any) -> Any:
        ((table, wanted),) = given["RequestItems"].items()
        found = [
            self.rows[k["id"]["S"]] for k in wanted["Keys"] if k.get("id", {}).get("S") in self.rows
        ]
        return {"Responses": {table: found}}

    def put_item(self, **given: Any) -> Any:
        json.dumps(given["Item"]).encode()  # what DynamoDB could not be sent
        for value in given["Item"].values():
            ((_, text),) = value.items()
            text.encode()
        self.rows[given["Item"]["id"]["S"]] = given["Item"]
        return {}

    def update_item(self, **_: Any) -> Any:
        return {}

    def query(self, **_: Any) -> Any:
        return {"Items": []}

    def transact_write_items(self, **_: Any) -> Any:
        return {}


class World:
    """The service, as a container has it after its first event."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.search = Memory(versioned=False)
        self.typesense = Memory(versioned=False)
        self.service = Service(
            {**ENV, "LOG_LEVEL": "CRITICAL"},
            self.cloud,
            ManualClock(1_800_000_100.0),
            sinks={
                OpenSearch: self.search,
                Typesense: self.typesense,
                Counters: Counters(self.cloud, contributions="contributions", counters=CORE),
                DefaultImage: DefaultImage(self.cloud, CORE),
            },
            at_once=one_by_one,
            emit=len,
        )

    def handle(self, event: Any) -> Any:
        return invoke(self.service, event)

    def receive(self, queue: str, bodies: Sequence[str]) -> set[str]:
        """Which messages are to come again."""
        name = QUEUES[queue].rpartition("/")[2]
        records = [
            {
                "messageId": f"m{n}",
                "receiptHandle": f"m{n}",
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{name}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": f"g{n}"},
            }
            for n, body in enumerate(bodies)
        ]
        answer = self.handle({"Records": records})
        return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}


def product(id_: str, name: str = "x", **more: Any) -> Any:
    new = {"name": {"S": name}, "price": {"N": "1.5"}}
    return stream_record({"productId": {"S": id_}}, new, table=PRODUCTS, **more)


def records() -> list[Json]:
    """One of each kind that a model wants."""
    image = core_keys("IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1", "IMG#1")
    named = {"org_id": "SYSTEM", "entity_type": "REGISTRATION", "entity_id": "N1", "url": "u"}
    link = core_keys("FAA#LINKS", "MFR_MDL_CODE#1#SN#1")
    parts = {"type_designator": "A", "manufacturer": "B", "model": "C"}
    registration = core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#N1")
    return [
        product("p"),
        stream_record(image, {name: {"S": value} for name, value in named.items()}),
        stream_record(link, {name: {"S": value} for name, value in parts.items()}),
        stream_record(registration, {"registration": {"S": "N1"}, "n_number": {"S": "1"}}),
        stream_record(registration, None, old={"registration": {"S": "N1"}}),
    ]


def messages() -> Mapping[str, list[Json]]:
    """What may arrive on each queue."""
    source = Source(PRODUCTS, {"productId": {"S": "p"}})
    parked = json.loads(
        ParkedMessage("opensearch", (Parked(source, 7),), 1, 1_799_999_000.0).body()
    )
    registration = Source(CORE, core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#N1"))
    ops = [
        Op("typesense", registration, "registry", id_, body, 5)
        for id_, body in (("a", b"{}"), ("b", None))
    ]
    ((actions, _),) = pack((op, Action.of(op).text()) for op in ops)
    context = {"requestId": "r", "functionArn": "f", "condition": "c", "approximateInvokeCount": 1}
    letter = {
        "schema": 1,
        "kind": "quarantined",
        "id": "i",
        "at": "2026-11-21T08:00:00.000Z",
        "table": PRODUCTS,
        "keys": {"productId": {"S": "p"}},
        "sink": "opensearch",
        "target": "products",
        "document_id": "p",
        "version": 5,
        "state": "s",
        "error": {"class": "Refused", "message": "m", "trace": "t"},
        "record": product("p"),
    }
    held = {"bucket": {"name": "b"}, "object": {"key": "aws/lambda/one", "size": 1}}
    invocation = {
        "requestContext": context,
        "requestPayload": {"command": "x"},
        "timestamp": "2026-11-21T08:00:00Z",
    }
    return {
        "resync": [parked],
        "typesense": [json.loads(actions)],
        "typesense dead letters": [json.loads(actions)],
        "dead letters": [
            letter,
            invocation,
            parked,
            {"Records": [{"eventSource": "aws:s3", "s3": held}]},
        ],
    }


def deep(levels: int) -> Json:
    found: Json = 1
    for _ in range(levels):
        found = {"L": [found]}
    return found


DEEP: Final = "<nested some thousand levels deep>"
ODD: Final = (
    st.sampled_from(
        (
            *("null", "true", "0", "-1", "1e308", "NaN", "Infinity", '""', '"x"', '"1E999"'),
            *(str(2**70), "1" + "0" * 400, '"\\ud800"', '"\\u0000"', "[]", "{}", "[[]]"),
            *('{"S":"x"}', '{"N":"x"}', '{"":{}}', '{"S":null}', '{"M":{}}', '{"B":"?"}'),
            *('{"S":"\\udfff"}', json.dumps("a" * 2_000), json.dumps(["x"] * 30), json.dumps(DEEP)),
        )
    ).map(json.loads)
    | st.text(max_size=5)
    | st.integers()
    | st.floats()
)


@st.composite
def altered(draw: st.DrawFn, sound: Json) -> Json:
    """*sound*, with up to three of its parts replaced, removed or renamed."""
    value = copy.deepcopy(sound)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(value))
        if not places:
            return draw(ODD)
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        how = draw(st.sampled_from(["replace", "replace", "replace", "remove", "rename"]))
        if how == "replace":
            odd = draw(ODD)
            holder[key] = deep(3_000) if odd == DEEP else odd
        elif how == "remove" or isinstance(holder, list):
            del holder[key]
        else:
            holder[draw(st.text(max_size=3))] = holder.pop(key)
    return value


def _places(value: Json) -> Any:
    """Each part of *value*, as what holds it and where."""
    waiting = [value] if isinstance(value, dict | list) else []
    while waiting:
        holder = waiting.pop()
        keys = (
            list(holder)
            if isinstance(holder, dict)
            else range(len(holder))
            if isinstance(holder, list)
            else ()
        )
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list) and len(waiting) < 50:
                waiting.append(holder[key])
