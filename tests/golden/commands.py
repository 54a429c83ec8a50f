"""Commands as programs send them: payloads and answers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tests.golden import subjects
from tests.golden.aws import LETTERS, items_of
from tests.golden.plain import Json, shape, together
from tests.golden.samples import C172, KETTLE, product
from tests.golden.subjects import World, a_world
from tests.records import CORE, PRODUCTS, core_keys

FILTERS: Final = {"sink": "opensearch", "model": "Product", "error": "Refused", "table": PRODUCTS}
DRY: Final = {"dry_run": True, "reason": "a test"}
# Sent in this order. "<id>": of an open dead letter. "<cursor>": of the last answer.
PAYLOADS: Final[Sequence[Json]] = [
    {"command": "status"},
    {"command": "dlq list", "limit": 1},
    {"command": "dlq list", "limit": 2, "cursor": "<cursor>"},
    {"command": "dlq list", **FILTERS, "kind": "quarantined", "status": "open"},
    {"command": "dlq show", "id": "<id>"},
    {"command": "dlq replay", **FILTERS, "kind": "quarantined", "dry_run": True},
    {"command": "dlq replay", "ids": ["<id>", "none"], "limit": 1},
    {"command": "dlq replay", "ids": ["<id>", "none"], "cursor": "<cursor>"},
    {"command": "dlq erase", "table": PRODUCTS, "keys": [{"productId": {"S": "refused-2"}}]},
    {"command": "dlq discard", **DRY, "all": True, "limit": 1},
    {"command": "dlq discard", **DRY, "all": True, "cursor": "<cursor>"},
    {"command": "dlq discard", **DRY, **FILTERS, "kind": "quarantined"},
    {"command": "dlq discard", "ids": ["<id>", "none"], "reason": "a test"},
    {"command": "resync", "table": PRODUCTS, "keys": [{"productId": {"S": "p"}}]},
    {"command": "resync", "table": PRODUCTS, "sink": "opensearch", "limit": 1},
    {"command": "resync", "table": PRODUCTS, "sink": "opensearch", "cursor": "<cursor>"},
    {"command": "resync", "table": PRODUCTS, "dry_run": True},
    {"command": "recount"},
    {"command": "recount", "repair": True, "limit": 5, "cursor": "<cursor>"},
    {"command": "dlq replay", "all": True},
    {"command": "recover"},
    {"command": "mappings apply"},
]


@contextmanager
def busy() -> Iterator[World]:
    """A world with dead letters, a link that is not counted yet, and a counter that is wrong."""
    with a_world() as w:
        for id_ in ("p", "q", "refused-1", "refused-2"):
            w.put(PRODUCTS, {"productId": {"S": id_}, **KETTLE})
        poison = {"price": {"N": "1"}}
        w.stream(product("refused-1", 1), product("refused-2", 2), product("p", 3, poison))
        w.receive("dead-letters", *w.aws.letters())
        w.put(CORE, {**core_keys("FAA#LINKS", "MFR_MDL_CODE#1#SN#1"), **C172})
        w.put(CORE, {**core_keys("ICAO#MATCHER", "TYPE#C9#A#9"), "count": {"N": "9"}})
        w.clock.now += 1
        yield w


def filled(asked: Json, answer: Json) -> Json:
    """*asked*, with "<id>" and "<cursor>" replaced."""
    found = [row["id"]["S"] for row in items_of(LETTERS) if row["status"]["S"] == "open"]
    text = json.dumps(asked).replace("<id>", found[0] if found else "none")
    return json.loads(text.replace('"<cursor>"', json.dumps(answer.get("cursor"))))


def commands() -> Json:
    """For each command: the names in its payload, each with a value; the names and types in its
    answers; payloads that it refuses."""
    names = subjects.commands()
    found: Json = {
        name: {"takes": dict.fromkeys(takes), "answers": {}} for name, takes in names.items()
    }
    with busy() as w:
        w.search.aliases = ()  # so that `mappings apply` makes them
        answer: Json = {}
        w.call("status")
        metrics = w.aws.take("GetMetricStatistics")
        for asked in PAYLOADS:
            payload = filled(asked, answer)
            answer = w.call(**payload)
            told = found[payload.pop("command")]
            told["takes"] |= payload
            told["answers"] = together(told["answers"], shape(answer))
            if answer.get("cursor"):
                told.setdefault("cursor", answer["cursor"])
        for name, told in found.items():
            wrong: list[Json] = [{"nonsense": 1}, *({each: {}} for each in names[name])]
            told["refused"] = {str(one): _outcome(w, {"command": name, **one}) for one in wrong}
        found["status"]["asks CloudWatch"] = sorted(map(_metric, metrics))
        found["refused"] = {
            "another command": _outcome(w, {"command": "nope"}),
            "no command": _outcome(w, {"command": None}),
        }
    return found


def _metric(asked: Mapping[str, Any]) -> str:
    of = ", ".join(f"{one['Name']}={one['Value']}" for one in asked["Dimensions"])
    return f"{asked['Namespace']} {asked['MetricName']} {of}"


def _outcome(w: World, payload: Json) -> str:
    try:
        w.handle(payload)
    except Exception as error:
        return type(error).__name__
    return "taken"
