"""Running the service: settings, events, state table, log lines, metrics."""

import json
from typing import Final
from unittest import mock

from botocore.exceptions import ClientError

from tests.golden import subjects
from tests.golden.aws import LANE_LETTERS, LANES, LETTERS, STATE, client, items_of, sqs_event
from tests.golden.commands import busy
from tests.golden.plain import Json, plain, random_id, shape, together
from tests.golden.samples import (
    INVOCATION,
    UNREADABLE,
    action,
    created,
    lane,
    parked_keys,
    product,
    record,
    registration,
)
from tests.golden.subjects import World, a_world, lambda_answer
from tests.records import CORE, PRODUCTS, core_keys, stream_record


def settings() -> Json:
    """Names of sinks, environment variables and their defaults."""
    return subjects.settings()


UNWANTED: Final = stream_record(core_keys("OTHER", "1"), {}, number=1)
EVENTS: Final[dict[str, Json]] = {
    "records of a stream": {"Records": [product("p", 1)]},
    "records of a stream, of no model": {"Records": [UNWANTED]},
    "records of a stream, one of which is no record": {"Records": [product("p", 1), "x"]},
    "the resync queue": sqs_event("resync", [json.dumps(parked_keys("p"))]),
    "the resync queue, unreadable": sqs_event("resync", ["x"]),
    "the dead-letter queue": sqs_event("dead-letters", ["x"]),
    "the queue of Typesense": sqs_event(LANES, [json.dumps(lane(action("N1", document="{}")))]),
    "the queue of Typesense, unreadable": sqs_event(LANES, ["x", "y"]),
    "the dead-letter queue of Typesense": sqs_event(LANE_LETTERS, ["x"]),
    "another queue": sqs_event("another", ["x"]),
    "a command": {"command": "dlq list", "sink": "none"},
    "a command, and records": {"command": "dlq list", "Records": []},
    "another command": {"command": "another"},
    "no records": {"Records": []},
    "records of another service": {"Records": [{"eventSource": "aws:s3"}]},
    "records of two queues' kinds": {"Records": [{"eventSource": "aws:sqs"}, {}]},
    "a schedule of EventBridge": {"source": "aws.events", "detail-type": "Scheduled Event"},
    "an object": {},
    "a list": [],
    "a text": "text",
    "nothing": None,
}
STRICT: Final = {"Records": [product("refused", 1), product("p", 2), product("q", 3)]}


def events() -> Json:
    """The answer of Lambda's entrypoint to each shape of event, or the class of its error."""
    with a_world() as w:
        found = {name: lambda_answer(event, w.env) for name, event in EVENTS.items()}
        without = {name: value for name, value in w.env.items() if name != "STAGE"}
        found["a setting is missing"] = lambda_answer(EVENTS["a command"], without)
        w.search.down, w.env["STRICT_SINKS"] = True, "opensearch"
        w.service = w.started()
        found["records of a stream, and a strict sink is down"] = w.handle(STRICT)
    return found


def state() -> Json:
    """The rows of the state table; the note that a call keeps while it writes."""
    with a_world() as w:
        w.stream(record("Product", 1), record("FaaRegistration", 2), record("FaaLink", 3))
        w.receive(LANES, *(sent["body"] for sent in w.aws.sent(LANES)))
        found: Json = {"sinks answer": items_of(STATE)}
        w.search.down = True
        w.clock.now += 60
        w.stream(record("Product", 1))
        w.receive(LANES, lane(action("N1", document="{}")))
        found["OpenSearch and Typesense are down"] = items_of(STATE)
        w.search.down, w.search.aliases = False, ()
        w.clock.now += 600
        w.service = w.started()  # which knows no alias yet
        w.receive(LANES, lane(action("N1", document="{}")))
        found["an alias of Typesense is missing"] = items_of(STATE)
        w.aws.calls.clear()
        w.call("resync", table=PRODUCTS, keys=[{"productId": {"S": "p"}}], sink="opensearch")
        w.call("resync", table=PRODUCTS, keys=[{"productId": {"S": "p"}}])
        found["notes of calls"] = [
            {name: _noted(name, value) for name, value in plain(request["Item"]).items()}
            for request in w.aws.take("PutItem", TableName=LETTERS)
        ]
        found["notes that are left"] = items_of(LETTERS)
    return found


def _noted(name: str, value: Json) -> Json:
    if name == "id":
        return {"S": random_id(value["S"])}
    return {"JSON": json.loads(value["S"])} if name == "body" else value


def logs() -> Json:
    """The fields of each log line; the units and dimensions of each metric."""
    with busy() as w:
        w.metrics.clear()
        w.stream(product("p", 1), product("refused", 2), product("stale", 3), record("FaaLink", 4))
        of_one_batch = sorted(map(_metric_line, w.metrics), key=lambda line: str(line["sink"]))
        _all_is_well(w)
        _in_trouble(w)
        _nobody_answers(w)
        metrics = {"by dimensions": _metrics(w.metrics), "of one batch": of_one_batch}
        return {"lines": _lines(w.lines.read()), "metrics": metrics}


def _all_is_well(w: World) -> None:
    sound = registration("N1", 6)
    w.stream(sound, {**sound, "eventName": "MODIFY"}, UNWANTED)
    w.receive(LANES, *(sent["body"] for sent in w.aws.sent(LANES)), lane(action("N404")))
    w.receive("resync", parked_keys("p"), parked_keys("q", sink=None))
    w.call("status")


def _in_trouble(w: World) -> None:
    w.stream(product("refused", 5), *UNREADABLE.values())
    w.receive(LANES, lane(action("refused", document="{}")), "noise")
    w.receive("resync", parked_keys("refused-1"), parked_keys("odd", sink=None), "noise")
    w.receive("dead-letters", *w.aws.letters(), "noise", INVOCATION, created("gone"))
    w.search.down = True
    w.stream(product("p", 7))
    w.receive("resync", parked_keys("p"))
    w.receive(LANES, lane(action("N1", document="{}"), action("N2")))
    w.search.down = False
    w.clock.now += 600
    link = core_keys("FAA#LINKS", "MFR_MDL_CODE#05609#SN#1")
    counter = core_keys("ICAO#MATCHER", "TYPE#C172#CESSNA%20%2F%20Reims#172%20%23%C3%BC")
    client("dynamodb").delete_item(TableName=CORE, Key=counter)
    w.stream(stream_record(link, None, number=8, created_s=int(w.clock.now)))
    w.stream(*(product(f"{n}", n, {"price": {"N": "1"}}) for n in range(20)))


_WRITES: Final = (
    *("SendMessageBatch", "ChangeMessageVisibility", "PublishBatch", "PutItem", "UpdateItem"),
)


def _nobody_answers(w: World) -> None:
    """Neither search servers nor AWS."""
    trouble = ClientError({"Error": {"Code": "Throttling", "Message": "slower"}}, "x")
    for operation in _WRITES:
        w.aws.answers[operation] = mock.Mock(side_effect=trouble)
    w.search.down = True
    w.clock.now += 60
    w.stream(product("p", 30), registration("N1", 31), UNREADABLE["no image"])
    w.receive("resync", parked_keys("p"))
    w.receive(LANES, lane(action("N1", document="{}")), "noise")
    w.receive("dead-letters", INVOCATION)


def _lines(read: list[Json]) -> Json:
    """Levels and fields of the lines, by the constant beginning of their messages; *always* names
    the fields that no such line lacks."""
    found: Json = {}
    for line in read:
        message = line.pop("message").partition(":")[0]
        level = line.pop("level")
        told = found.setdefault(message, {"levels": [], "fields": {}, "always": line})
        told["levels"] = sorted({*told["levels"], level})
        told["fields"] = together(told["fields"], shape(line))
        told["always"] = {name: True for name in told["always"] if name in line}
    return found


def _metric_line(line: str) -> Json:
    """*line* with its metrics sorted."""
    found = json.loads(line)
    for told in found["_aws"]["CloudWatchMetrics"]:
        told["Metrics"].sort(key=lambda metric: str(metric["Name"]))
    return found


def _metrics(lines: list[str]) -> Json:
    found: Json = {}
    for line in map(json.loads, lines):
        (told,) = line["_aws"]["CloudWatchMetrics"]
        (dimensions,) = told["Dimensions"]
        of = ", ".join(f"{name}={line[name]}" for name in dimensions)
        metrics = {each["Name"]: each["Unit"] for each in told["Metrics"]}
        found.setdefault(told["Namespace"], {}).setdefault(of, {}).update(metrics)
    return found
