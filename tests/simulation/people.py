"""What people ask of the admin function amid everything: commands with all their arguments, page by
page, and commands that they mistype.

Whatever they ask, the promises hold. What is mistyped is refused, and changes nothing.
"""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any, Final

from sync.errors import ConfigError, Retry
from tests.simulation.invariants import Violated
from tests.simulation.models import CORE
from tests.simulation.stack import Stack

MOST_PAGES: Final = 12
ALL_PAGES: Final = 500
FILTERS: Final = {  # of dead letters: the argument, and the attribute of a row
    "sink": "sink",
    "model": "model",
    "error": "error_class",
    "table": "table",
    "kind": "kind",
}
NOBODY: Final = "0123456789abcdef0123456789abcdef"  # the id of no dead letter
SINKS: Final = ("opensearch", "plain", "typesense", "counters", "default_image")

Payload = dict[str, Any]


def ask(stack: Stack) -> None:
    """Ask for something, with the arguments of the day, and for the pages that follow."""
    random = stack.world.random
    for _ in range(2):
        payload = random.choice(COMMANDS)(stack, random)
        pages(stack, payload, random.randint(1, MOST_PAGES))


def pages(
    stack: Stack,
    payload: Payload,
    most: int,
    told: Callable[[Any], object] = lambda _answer: None,
) -> None:
    """Give the command, and with each answer's cursor the next one, *most* times at most. What
    fails is not asked again; *told* is given each answer."""

    def answered(answer: Any) -> None:
        told(answer)
        if answer is not None and answer.get("cursor") is not None and most > 1:
            pages(stack, {**payload, "cursor": answer["cursor"]}, most - 1, told)

    stack.command(payload, answered)


def chosen(stack: Stack, random: Random) -> Payload:
    """Some dead letters: by their ids, those of others and of nobody among them, or by what one of
    them is like, or all."""
    rows = sorted(stack.rows(), key=lambda row: row["id"])
    if not rows or random.random() < 0.4:
        return {"all": True}
    if random.random() < 0.5:
        ids = [row["id"] for row in random.sample(rows, min(len(rows), 3))]
        return {"ids": [*ids, NOBODY]}
    row = random.choice(rows)
    like = {name: row[of] for name, of in FILTERS.items() if row.get(of)}
    return dict(random.sample(sorted(like.items()), min(len(like), random.randint(1, 2))))


def _limit(random: Random) -> Payload:
    return random.choice(({}, {"limit": 1}, {"limit": 1}, {"limit": 3}))


def _sure(random: Random) -> Payload:
    return {"dry_run": True} if random.random() < 0.3 else {}


def _replay(stack: Stack, random: Random) -> Payload:
    which = chosen(stack, random) | _limit(random) | _sure(random)
    return {"command": "dlq replay", **which}


def _would_discard(stack: Stack, random: Random) -> Payload:
    which = chosen(stack, random) | _limit(random)
    return {"command": "dlq discard", "reason": "to see", "dry_run": True, **which}


def _list(stack: Stack, random: Random) -> Payload:
    like = {name: value for name, value in chosen(stack, random).items() if name in FILTERS}
    status = random.choice(("open", "replayed", "discarded"))
    return {"command": "dlq list", "status": status, **like, **_limit(random)}


def _recount(_stack: Stack, random: Random) -> Payload:
    return {"command": "recount", "repair": random.random() < 0.5, **_limit(random)}


def _resync(stack: Stack, random: Random) -> Payload:
    table = random.choice(stack.tables)
    payload = {"command": "resync", "table": table.name, **_limit(random), **_sure(random)}
    if random.random() < 0.5:
        payload["sink"] = random.choice(SINKS)
    seen = {str(keys): keys for keys in (e["dynamodb"]["Keys"] for e in table.stream.events)}
    if seen and random.random() < 0.6:  # of items that there are, and that are gone
        names = random.sample(sorted(seen), min(len(seen), random.randint(1, 6)))
        payload["keys"] = [seen[name] for name in names]
    return payload


def _show(stack: Stack, random: Random) -> Payload:
    rows = sorted(row["id"] for row in stack.rows())
    if not rows:
        return _recount(stack, random)
    return {"command": "dlq show", "id": random.choice(rows)}


COMMANDS: Final[tuple[Callable[[Stack, Random], Payload], ...]] = (
    _replay,
    _would_discard,
    _list,
    _recount,
    _resync,
    _show,
)

MISTAKES: Final[tuple[Mapping[str, Any], ...]] = (
    {"command": "resink"},
    {"command": "recover", "now": True},
    {"command": "resync"},
    {"command": "resync", "table": "stream-sync-sim-cores"},
    {"command": "resync", "table": CORE, "sink": "opensearches"},
    {"command": "resync", "table": CORE, "limit": 0},
    {"command": "resync", "table": CORE, "keys": [{"PK": {"S": "ARTICLE"}}]},
    {"command": "resync", "table": CORE, "keys": [{"PK": {"S": "ARTICLE"}, "SK": {"BOOL": True}}]},
    {"command": "resync", "table": CORE, "keys": [{"PK": {"S": "A"}, "SK": {"N": "1_0"}}]},
    {"command": "resync", "table": CORE, "cursor": "2"},
    {"command": "resync", "table": CORE, "cursor": "{"},
    {"command": "recount", "cursor": "page 2"},
    {"command": "recount", "cursor": "[1, null]"},
    {"command": "recount", "cursor": '[0, "2"]'},
    {"command": "recount", "cursor": '[0, "{\\"stage\\": \\"links\\", \\"start\\": 2}"]'},
    {"command": "dlq list", "cursor": "2"},
    {"command": "dlq list", "status": "closed"},
    {"command": "dlq show", "id": NOBODY},
    {"command": "dlq replay"},
    {"command": "dlq replay", "all": True, "ids": [NOBODY]},
    {"command": "dlq replay", "ids": [NOBODY], "cursor": "2"},
    {"command": "dlq discard", "ids": [], "reason": "a person was sure"},
    {"command": "dlq discard", "all": True},
)
"""Commands that are refused, whatever there is."""


def mistype(stack: Stack) -> None:
    """Ask for things that there are not. Raises Violated if one is done all the same."""
    for mistake in stack.world.random.sample(MISTAKES, 3):
        payload = dict(mistake)
        stack.command(payload, partial(_refused, payload), expected=(ConfigError, Retry))


def _refused(payload: Payload, answer: Any) -> None:
    if answer is not None:
        raise Violated(f"{payload} was done, and came to {answer}")
