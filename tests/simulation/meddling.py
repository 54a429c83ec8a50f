"""People change rows that the service derives, in the console or by restoring a backup.

The service asks that nobody does (docs/guarantees.md). Where somebody does, it goes on, and a
recount and a resync put right what it can't know.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.simulation import people
from tests.simulation.invariants import Violated
from tests.simulation.stack import Stack
from tests.simulation.table import Item, key_of

COUNTERS: Final = "ICAO#MATCHER"
RECOUNTS: Final = 6


def meddle(stack: Stack) -> None:
    """Change, delete or restore one such row, if there is one that nobody is writing."""
    random = stack.world.random
    table = random.choice((stack.core, stack.core, stack.contributions))
    rows = [*table, *(_counters_gone(stack) if table is stack.core else ())]
    rows = [row for row in rows if _change(row) and not table.busy_s(key_of(table.names, row))]
    if not rows:
        return
    row = random.choice(rows)
    change = _change(row)
    values = change(random, row) if change else None
    stack.meddled = True
    keys = {name: row[name] for name in table.names}
    stack.world.note("meddled", keys, values)
    table.set(key_of(table.names, keys), None if values is None else {**values, **keys})


def _counters_gone(stack: Stack) -> list[Item]:
    """The counters that there were, as a backup has them."""
    core = stack.core
    images = [event["dynamodb"].get("NewImage") for event in core.stream.events]
    there = [image for image in images if image and image["PK"]["S"] == COUNTERS]
    return [row for row in there if key_of(core.names, row) not in core.items]


def _change(row: Item) -> Callable[[Random, Item], Item | None] | None:
    """What somebody makes of *row*, but for its keys; None: it is not derived."""
    if "PK" not in row:
        return _other_contribution
    hash_, range_ = row["PK"]["S"], row["SK"]["S"]
    if hash_ == COUNTERS:
        return _other_count
    if hash_.startswith("DEFAULT_IMAGES#") or (hash_.startswith("IMAGES#") and range_ == "DEFAULT"):
        return _other_image
    return None


def _other_contribution(random: Random, row: Item) -> Item | None:
    if "counter" not in row or random.random() < 0.5:
        return None
    return {
        **row,
        "counter": {"S": random.choice(("TYPE#B38M#BOEING#737%20MAX%208", "TYPE#a#b#c"))},
    }


def _other_count(random: Random, row: Item) -> Item | None:
    if random.random() < 0.3:
        return None
    count = random.choice((1, 2, 50, int(row["count"]["N"]) + 1))
    return {**row, "count": {"N": str(count)}}


def _other_image(random: Random, row: Item) -> Item | None:
    if random.random() < 0.3:
        return None
    named = random.choice(({}, {"image": {"S": "IMG#none"}}, {"image": {"S": "none"}}))
    return {**{name: value for name, value in row.items() if name != "image"}, **named}


def put_right(stack: Stack, rest: Callable[[], object]) -> None:
    """Put right what somebody changed, if anybody did, by a person's commands. *rest* lets the
    world come to rest.

    A counter that was written a moment ago can't be mended just then, as the answer says: so the
    person recounts until there is nothing to mend. Raises Violated if there always is.
    """
    if not stack.meddled:
        return
    limit = stack.world.random.choice(({}, {"limit": 1}, {"limit": 5}))
    resync = {"command": "resync", "table": stack.core.name, "sink": "default_image"}
    people.pages(stack, resync, people.ALL_PAGES)
    rest()
    recount = {"command": "recount", "repair": True, **limit}
    for _ in range(RECOUNTS):
        answers: list[Any] = []
        people.pages(stack, recount, people.ALL_PAGES, answers.append)
        rest()
        links = [link for answer in answers for link in answer["links"]]
        counters = [counter for answer in answers for counter in answer["counters"]]
        # A link that no model takes says nothing and is counted nowhere: of it a letter tells.
        if not counters and all(link["said"] == link["counted"] for link in links):
            return
    raise Violated(f"not mended by {RECOUNTS} recounts: {answers}")
