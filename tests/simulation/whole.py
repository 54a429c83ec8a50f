"""Whole tables: people backfill, verify, repair and reindex amid everything, and once more at the
end, when sinks have lost documents and items are gone of which no stream told.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import Any, Final

from sync.errors import ConfigError, Retry
from sync.writing.ids import is_hash
from tests.simulation.invariants import Difference, Violated, nothing_differs
from tests.simulation.models import Place, expected
from tests.simulation.stack import ALIASES, COLLECTIONS, Stack
from tests.simulation.whole_drawn import ASKED_AGAIN_S, MOST_PAGES

OWN: Final = frozenset(
    ["backfill", "pause", "resume", "cancel", "reindex", "rollback", "drop", "verify", "repair"]
)
TARGETS: Final = (
    *(("opensearch", alias) for alias in ALIASES),
    *(("typesense", alias) for alias in COLLECTIONS),
)
READ: Final = ("opensearch", "typesense")  # which can be compared
SINKS: Final = (None, "opensearch", "typesense", "plain")
ROUNDS: Final = 12  # of what people repeat until nothing is left to do
ROUND_S: Final = 905.0
STRANGE: Final = b'{"name":"of somebody else"}'

Rest = Callable[[], object]
Differences = Callable[[], list[Difference]]


def befall(stack: Stack, incident: str) -> None:
    """What a person does amid everything; of what is refused nothing comes."""
    random = stack.world.random
    if incident == "backfill":
        _try(stack, _backfill(stack, random))
    elif incident in ("pause", "resume", "cancel"):
        if ids := sorted(_going(stack)):
            _try(stack, {"command": f"backfill {incident}", "id": random.choice(ids)})
    elif incident in ("reindex", "rollback", "drop"):
        sink, target = random.choice(TARGETS)
        payload: dict[str, Any] = {"command": "reindex", "sink": sink, "target": target}
        if incident != "reindex":
            payload[incident] = True
        _pages(stack, payload, MOST_PAGES)
    else:
        payload = {"command": "verify", "repair": incident == "repair"}
        if random.random() < 0.5:
            payload["sample"] = 5
        _pages(stack, payload, 3)


def settle(stack: Stack, rest: Rest) -> None:
    """Let each run come to its end. Raises Violated for one that does not."""
    for _ in range(ROUNDS):
        for id_ in _going(stack):
            _try(stack, {"command": "backfill resume", "id": id_})
        rest()
        if not _going(stack):
            return
        stack.world.after(ROUND_S, lambda: None)
        rest()
        _try(stack, {"command": "recover"})
        rest()
    raise Violated(f"a backfill that does not end: {stack.runs.items}")


def finale(stack: Stack, rest: Rest, differences: Differences) -> None:
    """Sinks are damaged, and whole tables put that right. Raises Violated if they don't."""
    random = stack.world.random
    _clean(stack, rest, differences, differ=False)
    _damage(stack, random)
    _clean(stack, rest, differences)
    for table in stack.tables:
        payload = {"command": "backfill start", "table": table.name, "also": True}
        stack.command({**payload, "segments": random.choice((1, 2, 3))}, _nothing)
    rest()
    settle(stack, rest)
    if missing := [each for each in _differing(differences) if each[1] != "an orphan"]:
        raise Violated(f"{missing[0][:2]}, after a backfill of all tables")
    for _ in range(2):  # what goes by a queue is repaired when that is empty
        _answers(stack, {"command": "verify", "repair": True}, rest)
    nothing_differs(_differing(differences))
    sink, target = random.choice(TARGETS)
    reindex(stack, sink, target, rest)
    nothing_differs(_differing(differences))
    _clean(stack, rest, differences, differ=False)


def reindex(stack: Stack, sink: str, target: str, rest: Rest) -> None:
    """To its end, whatever was begun. Raises Violated if it does not come to that."""
    payload = {"command": "reindex", "sink": sink, "target": target}
    _try(stack, {**payload, "drop": True})
    rest()
    cursor = None
    for _ in range(3 * ROUNDS):
        answers: list[Any] = []
        stack.command({**payload, "cursor": cursor}, answers.append)
        rest()
        if answers[0] is None:
            raise Violated(f"{payload} failed, though nothing is wrong")
        if answers[0]["phase"] == "swapped":
            return
        cursor = answers[0]["cursor"]
    raise Violated(f"{payload} does not end: {answers}")


def _clean(stack: Stack, rest: Rest, differences: Differences, *, differ: bool = True) -> None:
    """`verify` says what the independent comparison says of the sinks that it can read."""
    told = _answers(stack, {"command": "verify"}, rest)
    found = {
        (each["sink"], each["target"], each["id"]) for page in told for each in page["differences"]
    }
    wanted = {place for place, _, _ in _differing(differences)}
    if found != wanted or (found and not differ):
        raise Violated(f"verify finds {sorted(found)}, and what differs is {sorted(wanted)}")


def _differing(differences: Differences) -> list[Difference]:
    """Those of the sinks that can be read; of the others nobody learns that an item has gone."""
    return [each for each in differences() if each[0][0] in READ]


def _is_judged(places: Iterable[Place]) -> bool:
    """Whether `verify` finds a document of these, if no item asks for it. An id that is a hash says
    nothing of a key (docs/runbooks/verify.md)."""
    return any(sink in READ and not is_hash(id_) for sink, _, id_ in places)


def _damage(stack: Stack, random: Random) -> None:
    """Documents that readers see are lost, or changed; items are gone, and no stream told of it."""
    for table in stack.tables:
        for key, item in sorted(table.items.items()):
            if _is_judged(expected(item)) and random.random() < 0.2:
                del table.items[key]
    for sink in (stack.opensearch, stack.typesense):
        live = sink.live
        for place in sorted(sink.held):
            if place[0] in live and random.random() < 0.4:
                sink.lose(place)
                if random.random() < 0.4:
                    sink.hold(place, STRANGE)


def _backfill(stack: Stack, random: Random) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "command": "backfill start",
        "table": random.choice(stack.tables).name,
        "segments": random.choice((1, 2, 3)),
        "also": True,
    }
    if (sink := random.choice(SINKS)) is not None:
        payload["sinks"] = [sink]
    return payload


def _going(stack: Stack) -> list[str]:
    """The ids of runs that are not over."""
    return [
        str(row["run"]["S"])
        for row in stack.runs
        if row["part"]["S"] == "run" and "finished_at" not in row
    ]


def _try(stack: Stack, payload: dict[str, Any]) -> None:
    stack.command(payload, _nothing, expected=(ConfigError, Retry))


def _pages(stack: Stack, payload: dict[str, Any], most: int) -> None:
    def answered(answer: Any) -> None:
        if answer is None or most == 1:
            return
        again = answer.get("phase") in ("filling", "comparing")
        if answer["cursor"] is None and not again:
            return
        wait_s = ASKED_AGAIN_S if again else 0.0
        more = {**payload, "cursor": answer["cursor"]}
        stack.world.after(wait_s, lambda: _pages(stack, more, most - 1))

    stack.command(payload, answered, expected=(ConfigError, Retry))


def _answers(stack: Stack, payload: dict[str, Any], rest: Rest) -> list[Any]:
    """The answers of all pages."""
    found: list[Any] = []
    cursor = None
    while not found or cursor is not None:
        answers: list[Any] = []
        stack.command({**payload, "cursor": cursor}, answers.append)
        rest()
        if answers[0] is None:
            raise Violated(f"{payload} failed, though nothing is wrong")
        found += answers
        cursor = answers[0]["cursor"]
    return found


def _nothing(_answer: Any) -> None:
    """Nobody waits for it."""
