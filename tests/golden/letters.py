"""Dead letters: as they are published, and as rows of the dead-letter table."""

import json
from collections.abc import Callable
from typing import Final

from tests.golden import golden
from tests.golden.aws import BUCKET, LANE_LETTERS, LANES, LETTERS, client, empty, items_of
from tests.golden.plain import Json, is_cut
from tests.golden.queues import bodies
from tests.golden.samples import (
    DAY,
    IMAGES,
    INVOCATION,
    KETTLE,
    OBJECT,
    ON_FAILURE,
    UNREADABLE,
    action,
    created,
    given_up,
    gone,
    lane,
    parked_keys,
    product,
)
from tests.golden.subjects import World, a_world
from tests.records import CORE, PRODUCTS, core_keys, stream_record

LARGE: Final = {**KETTLE, "description": {"S": "x" * 210_000}}
OLD_S: Final = 14 * DAY


def letters() -> Json:
    """Letters published to the topic; large bodies in the bucket."""
    found: Json = {}
    with a_world() as w:
        _stream(w, found)
        _workers(w, found)
    return found


def _stream(w: World, found: Json) -> None:
    w.stream(product("refused-1", 10))
    _note(w, found, "a sink refuses it")
    w.stream(product("refused-2", 12))
    w.stream(product("refused-2", 14, {**KETTLE, "name": {"S": "newer"}}))
    w.stream(product("refused-2", 13))
    _note(w, found, "a sink refuses one after the other")
    w.stream(gone({"S": "refused-3"}, 15))
    _note(w, found, "a sink refuses its end")
    nameless = product("refused-4", 16)
    del nameless["eventID"]
    w.stream(nameless)
    _note(w, found, "a sink refuses it, and the event has no id")
    w.stream(product("refused-5", 17, LARGE))
    _note(w, found, "a sink refuses it, and it is large")
    for n, one in enumerate(({"N": "1E3"}, {"N": "1000"})):
        w.stream(stream_record({"productId": one}, KETTLE, table=PRODUCTS, number=20 + n))
    _note(w, found, "its model refuses it, and its key is a number")
    binary = {"productId": {"B": "AAE="}}
    w.stream(stream_record(binary, {"name": {"S": "x"}}, table=PRODUCTS, number=22))
    _note(w, found, "its model refuses it, and its key is binary")
    image = core_keys("IMAGES#ORG#SYSTEM#ENTITY#BOAT#ID#1", "IMG#1")
    named = {"org_id": "SYSTEM", "entity_type": "BOAT", "entity_id": "1"}
    w.stream(stream_record(image, {name: {"S": text} for name, text in named.items()}, number=30))
    _note(w, found, "its model has no place for it")
    for n, (name, record) in enumerate(UNREADABLE.items()):
        w.stream(product("fine", 40 + n), record)
        _note(w, found, f"unreadable: {name}")
    w.stream(product("fine", 60), {"eventName": "x" * 210_000})
    _note(w, found, "unreadable, and large")
    w.search.take()


def _workers(w: World, found: Json) -> None:
    for id_ in ("refused-6", "refused-7"):
        w.put(PRODUCTS, {"productId": {"S": id_}, **KETTLE})
    w.put(PRODUCTS, {"productId": {"S": "odd"}, "name": {"S": "without a price"}})
    registration = core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#refused-N1")
    w.put(CORE, {**registration, "registration": {"S": "N1"}, "n_number": {"S": "1"}})
    w.put(CORE, core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#odd"))
    w.receive("resync", parked_keys("refused-6"))
    _note(w, found, "resync: a sink refuses it")
    w.receive("resync", parked_keys("odd", sink=None))
    _note(w, found, "resync: its model refuses it")
    w.receive(LANES, lane(action("refused-N2", document='{"registration":"N2"}')))
    _note(w, found, "lane: refused")
    w.receive(LANES, lane(action("refused-N1"), action("odd")))
    _note(w, found, "lane: read as items, and refused")
    w.call("resync", table=PRODUCTS, keys=[{"productId": {"S": "refused-7"}}])
    _note(w, found, "by hand: a sink refuses it")
    w.search.down = True
    old = w.clock.now - OLD_S
    w.receive("resync", parked_keys("p", since=old), parked_keys("q", sink=None, since=old))
    _note(w, found, "resync: parked for two weeks")
    w.receive(LANES, lane(action("N5", document="{}", since=old), action("N6", since=old)))
    _note(w, found, "lane: parked for two weeks")
    w.aws.sent("resync")


def _note(w: World, found: Json, name: str) -> None:
    objects = w.aws.objects()
    found[name] = {"letters": w.aws.letters(), **({"objects": objects} if objects else {})}


def states() -> Json:
    """The digest of the item in a letter: equal for equal items."""
    found = {}
    with a_world() as w:
        for n, (name, image) in enumerate(IMAGES.items()):
            w.stream(product("p", n, image))
            found[name] = [letter["state"] for letter in w.aws.letters()]
        w.stream(gone({"S": "refused"}, 99))
        found["gone"] = [letter["state"] for letter in w.aws.letters()]
        w.stream(product("fine", 98), UNREADABLE["no image"])
        found["no image"] = [letter["state"] for letter in w.aws.letters()]
    return found


def rows() -> Json:
    """The rows that messages of the dead-letter queues become."""
    found: Json = {}
    with a_world() as w:
        for case, told in golden("letters").items():
            whole = [letter for letter in told["letters"] if not is_cut(letter)]
            found[case] = _rows_of(w, "dead-letters", *whole)
        for case, body in bodies("parked"):
            found[f"parked: {case}"] = _rows_of(w, "dead-letters", body)
        for case, body in bodies("lanes"):
            found[f"a lane: {case}"] = _rows_of(w, LANE_LETTERS, body)
        for case, records in GIVEN_UP.items():
            body = json.dumps(given_up(records)).encode()
            client("s3").put_object(Bucket=BUCKET, Key=OBJECT, Body=body)
            w.aws.objects()
            found[case] = _rows_of(w, "dead-letters", created())
            left = client("s3").list_objects_v2(Bucket=BUCKET, Prefix="aws/")
            found[case]["the object is left"] = left["KeyCount"] > 0
        for case, message in OTHERS.items():
            found[case] = _rows_of(w, "dead-letters", message)
        found["noise of a lane"] = _rows_of(w, LANE_LETTERS, "noise")
    return found


GIVEN_UP: Final = {
    "given up": [product("p", 1), gone({"S": "q"}, 2), "no record"],
    "given up, and large": [product("r", 3, LARGE)],
    "given up, and nothing": [],
}
OTHERS: Final[dict[str, Json]] = {
    "given up, and handled before": created("gone"),
    "a range that is lost": ON_FAILURE,
    "an invocation": INVOCATION,
    "an invocation, without id and answer": {
        **INVOCATION,
        "requestContext": {**INVOCATION["requestContext"], "requestId": None},
        "responsePayload": None,
    },
    "S3's own test": {"Service": "Amazon S3", "Event": "s3:TestEvent"},
    "of a newer schema": {"schema": 2, "kind": "quarantined", "id": "1"},
    "JSON": {"anything": 1},
    "noise": "noise \ud800",
}


def _rows_of(w: World, queue: str, *messages: Json) -> Json:
    """The rows and objects that *messages* become; the table was empty before."""
    empty(LETTERS)
    answers = [w.receive(queue, message, received=6) for message in messages]
    told = {
        "rows": items_of(LETTERS),
        "objects": w.aws.objects(),
        "come again": sum(len(answer["batchItemFailures"]) for answer in answers),
    }
    return {name: value for name, value in told.items() if value}


def resolved() -> Json:
    """Rows that are replayed, fail again, are discarded, erased, or opened again."""
    found: Json = {}
    poison = {"price": {"N": "1"}}
    with a_world() as w:
        for n, id_ in enumerate(("good", "bad", "noise", "secret", "mended")):
            w.stream(product(id_, n, poison))
            w.put(PRODUCTS, {"productId": {"S": id_}, **(KETTLE if id_ == "good" else poison)})
        w.receive("dead-letters", *w.aws.letters())
        of = {row["keys"]["JSON"]["productId"]["S"]: row["id"]["S"] for row in items_of(LETTERS)}
        steps: dict[str, Callable[[], Json]] = {
            "replayed": lambda: w.call("dlq replay", ids=[of["good"]]),
            "failed again": lambda: w.call("dlq replay", ids=[of["bad"]]),
            "failed twice": lambda: w.call("dlq replay", ids=[of["bad"]]),
            "discarded": lambda: w.call("dlq discard", ids=[of["noise"]], reason="a test"),
            "erased": lambda: w.call("dlq erase", table=PRODUCTS, keys=[_key("secret")]),
            "mended by itself": lambda: _mended(w, "mended"),
            "open again": lambda: _again(w, product("good", 9, poison)),
        }
        for name, step in steps.items():
            before = items_of(LETTERS)
            w.clock.now += 600
            step()
            found[name] = [row for row in items_of(LETTERS) if row not in before]
    return found


def _mended(w: World, id_: str) -> None:
    w.put(PRODUCTS, {**_key(id_), **KETTLE})
    w.call("recover")


def _again(w: World, record: Json) -> None:
    record["dynamodb"]["ApproximateCreationDateTime"] = int(w.clock.now)
    w.stream(record)
    w.receive("dead-letters", *w.aws.letters())


def _key(id_: str) -> Json:
    return {"productId": {"S": id_}}
