"""Messages of the resync queue and of the lanes: how they are written, and how they are read."""

from collections.abc import Iterator

from tests.golden import golden
from tests.golden.aws import LANES, empty
from tests.golden.plain import Json, is_cut, plain, short
from tests.golden.samples import (
    DAY,
    DOCUMENTS,
    KETTLE,
    NEIGHBOURS,
    NOW,
    action,
    binary,
    gone,
    lane,
    parked_keys,
    product,
    record,
    registration,
)
from tests.golden.subjects import World, a_world, lanes_of
from tests.records import CORE, PRODUCTS, core_keys

# Bodies that the service never writes.
ODD: Json = {
    "newer": parked_keys("a", schema=3),
    "of no sink that is known": parked_keys("a", sink="cloud"),
    "one key twice": parked_keys("a", "a", ages_s=[600, 60]),
    "no schema": {"sink": None, "tries": 0, "since": NOW, "keys": []},
    "no age": {"schema": 1, "sink": "opensearch", "tries": 0, "keys": []},
    "a key that no item can have": {
        **parked_keys(),
        "keys": [{"table": PRODUCTS, "keys": {"productId": {"SS": ["a"]}}, "after": 1}],
    },
    "no JSON": "a text",
}
ODD_LANES: Json = {
    "newer": lane(action("N1", document="{}"), schema=2),
    "another action": lane(action("N1", action="patch", document="{}")),
    "a delete of a document": lane(action("N1", action="delete", document="{}")),
    "one document twice": lane(
        action("N1", document='{"a":1}'), action("N1", document='{"a":2}', version=5)
    ),
    "an item that is gone": lane(action("N404")),
    "no version": lane({"action": "delete", "collection": "registry", "id": "N1"}),
    "no JSON": "a text",
}


def parked() -> Json:
    """Messages sent to the resync queue: by the stream, by hand, by its own worker, by lanes."""
    found = {}
    with a_world() as w:
        w.search.down = True
        w.stream(product("a", 1), product("b", 2), gone({"S": "é日"}, 3))
        found["a sink is down"] = w.aws.sent("resync")
        w.stream(gone({"N": "1E3"}, 4), gone({"N": "-0.50"}, 5))
        found["numbers as keys"] = w.aws.sent("resync")
        w.stream(gone({"B": binary("a binary key")}, 6))
        found["a binary key"] = w.aws.sent("resync")
        w.stream(*(gone({"S": f"{n}"}, n) for n in range(1_100)))
        found["more keys than a message holds"] = w.aws.sent("resync")
        w.stream(*(gone({"S": f"{n}{'é' * 500}"}, n) for n in range(100)))
        found["more bytes than a message holds"] = w.aws.sent("resync")
        w.call("resync", table=PRODUCTS, keys=[{"productId": {"S": "a"}}])
        found["by hand, for every sink"] = w.aws.sent("resync")
        ages_s = [0, 30, 600, 7_200, 3 * DAY]
        w.receive("resync", parked_keys(*"abcde", ages_s=ages_s, tries=2))
        found["again, of several ages"] = w.aws.sent("resync")
        w.receive("resync", parked_keys("a", sink=None, since=NOW - 60))
        found["again, for every sink"] = w.aws.sent("resync")
        w.receive(LANES, lane(action("N1", document="{}", since=NOW - 7_200)))
        found["by a lane, parked before"] = w.aws.sent("resync")
        w.receive(LANES, lane(action("N2", document="{}"), action("N3")))
        found["by a lane"] = w.aws.sent("resync")
        w.search.down = False
        w.clock.now += DAY
        w.stream(product("stale", 7))
        found["a sink holds something newer"] = w.aws.sent("resync")
        w.stream(*(product(f"{n}", n, {"price": {"N": "1"}}) for n in range(20)))
        found["most are refused by their model"] = w.aws.sent("resync")
    return found


def parked_read() -> Json:
    """What the resync worker does with each message of `parked.json`."""
    found = {}
    with a_world() as w:
        w.put(CORE, {**core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#N2"), **_registered("N2")})
        w.clock.now += 2 * DAY
        for name, body in (*bodies("parked"), *ODD.items()):
            type_ = {"a binary key": "B", "numbers as keys": "N"}.get(name, "S")
            empty(PRODUCTS, type_)
            for id_ in "abcde" if type_ == "S" else "":
                w.put(PRODUCTS, {"productId": {"S": id_}, **KETTLE})
            found[name] = _read(w, "resync", body)
    return found


def _registered(name: str) -> Json:
    return {"registration": {"S": name}, "n_number": {"S": name[1:]}}


def _read(w: World, queue: str, body: Json) -> Json:
    """What the service does with a message; what it does not do is left out."""
    answer = w.receive(queue, body)
    reads = w.aws.take("BatchGetItem")[:1]  # later ones verify what was written
    did = {
        "reads": [keys for one in reads for keys in _keys(one["RequestItems"])],
        "writes": [one for request in w.search.take() for one in _writes(request)],
        "lanes": w.aws.sent(LANES),
        "parks": w.aws.sent("resync"),
        "letters": len(w.aws.letters()),
        "comes again": bool(answer["batchItemFailures"]),
    }
    return short(plain({name: value for name, value in did.items() if value}))


def _writes(request: Json) -> Iterator[str]:
    """The documents that *request* writes; `requests.json` has whole requests."""
    if "lines" not in request:
        yield request["request"]
    for line in request.get("lines", ()):
        heads = {"index", "delete"} & line.keys()
        if "/_bulk" not in request["request"]:
            yield f"{request['request']}: {line['id']}"
        for how in heads:
            yield f"{how} {line[how]['_index']} {line[how]['_id']} at {line[how]['version']}"


def _keys(asked: Json) -> Iterator[Json]:
    for table, wanted in asked.items():
        yield from ({"table": table, "keys": keys} for keys in wanted["Keys"])


def bodies(name: str) -> Iterator[tuple[str, Json]]:
    """The messages in the golden file *name*, but for those that were shortened."""
    for case, messages in golden(name).items():
        for n, message in enumerate(messages):
            if not is_cut(message["body"]):
                yield f"{case}, {n}" if n else case, message["body"]


def lanes() -> Json:
    """Messages sent to the queue of Typesense."""
    found = {}
    with a_world() as w:
        one, two, three = (registration(name, n) for n, name in enumerate(NEIGHBOURS, 1))
        del three["dynamodb"]["NewImage"]
        w.stream(one, two, {**three, "eventName": "REMOVE"}, record("IcaoAircraft", 4))
        found["two lanes"] = w.aws.sent(LANES)
        w.stream(record("FaaRegistration", 5))
        found["what Typesense would not keep exactly"] = w.aws.sent(LANES)
        w.stream(registration("N1", 6, name="é" * 50_000))
        found["a document too large for a message"] = w.aws.sent(LANES)
        w.stream(*(registration(name, 7, name="x" * 100_000) for name in NEIGHBOURS))
        found["more bytes than a message holds"] = w.aws.sent(LANES)
        key = core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#N1")
        w.put(CORE, {**key, **_registered("N1")})
        w.call("resync", table=CORE, keys=[key])
        found["by hand"] = w.aws.sent(LANES)
        keys = [{"table": CORE, "keys": key, "after": 5, "since": NOW - 7_200.5}]
        w.receive("resync", {**parked_keys(sink="typesense"), "keys": keys})
        found["parked before"] = w.aws.sent(LANES)
    return found


def lanes_read() -> Json:
    """What the worker of that queue does with each message of `lanes.json`."""
    found = {}
    with a_world() as w:
        w.put(CORE, {**core_keys("AIRCRAFT#REGISTRY#FAA", "DETAIL#N1"), **_registered("N1")})
        for name, body in (*bodies("lanes"), *ODD_LANES.items()):
            found[name] = _read(w, LANES, body)
        w.aws.take("ChangeMessageVisibility")
        delays_s = found["seconds until a message comes again, by how often it came"] = {}
        for received in (1, 2, 3, 4, 5, 10):
            w.receive(LANES, "a text", received=received)
            (asked,) = w.aws.take("ChangeMessageVisibility")
            delays_s[str(received)] = asked["VisibilityTimeout"]
    return found


def lanes_of_documents() -> Json:
    """The lane of each document. In another lane its changes could overtake each other."""
    found: Json = {}
    for target, id_, group in lanes_of(DOCUMENTS):
        found.setdefault(target, {})[id_] = group
    assert sum(map(len, found.values())) == len(DOCUMENTS)
    return found
