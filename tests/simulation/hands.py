"""What people and strangers do amid everything, and how that is put right in the end.

People repair counters, discard and erase dead letters, and let clocks jump. Strangers send what no
worker can read to every queue.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sync.deadletters.row import DISCARDED, OPEN
from tests.simulation import meddling, people
from tests.simulation.invariants import Owner, Violated, owner
from tests.simulation.queues import FifoQueue
from tests.simulation.stack import Stack
from tests.simulation.weeks import DAY_S

FUTURE: Final = 99  # a schema that nobody here knows
REASON: Final = "a person was sure"
MALFORMED: Final[tuple[dict[str, Any], ...]] = (  # messages of a schema that is known here
    {"schema": 1, "since": 1.0, "sink": ["typesense"], "keys": []},
    {"schema": 1, "since": -1.0, "sink": None, "keys": []},
    {"schema": 1, "since": 1.0, "sink": None, "keys": [{"keys": {}, "table": None}]},
    {"schema": 1, "actions": [{"action": "truncate"}]},
    {"schema": 1, "actions": [{"action": "delete", "source": {"keys": []}}]},
    {"schema": 1, "actions": [
        {"action": "delete", "source": {"keys": {"PK": {"S": "A"}}}, "collection": 1}
    ]},
)  # fmt: skip
STRANGE: Final = "sent by a stranger"  # in each of their messages


def befall(stack: Stack, incident: str) -> None:
    """Let *incident* happen. Raises ValueError for one that is not known."""
    random = stack.world.random
    if incident == "recount":
        stack.command({"command": "recount", "repair": True}, lambda _answer: None)
    elif incident in ("discard", "erase"):
        rows = sorted((row for row in stack.rows() if row["keys"]), key=lambda row: row["id"])
        if not rows:
            return
        row = random.choice(rows)
        if incident == "erase":  # an erasure that fails may have removed a body already
            stack.forgotten.add(owner(row["table"], row["keys"]))
        for _ in range(random.choice((1, 2))):  # two people may do the same at once
            stack.command(
                {"command": "dlq discard", "ids": [row["id"]], "reason": REASON}
                if incident == "discard"
                else {"command": "dlq erase", "table": row["table"], "keys": [row["keys"]]},
                lambda _answer: None,
            )
    elif incident == "ask":
        people.ask(stack)
    elif incident == "mistype":
        people.mistype(stack)
    elif incident == "meddle":
        for _ in range(random.choice((1, 3))):
            meddling.meddle(stack)
    elif incident == "clock":
        random.choice(stack.functions).set_clock()
    elif incident == "deploy":
        stack.deploy()
    elif incident == "strange":
        _send_strange(stack)
    elif incident == "overlap":
        random.choice(stack.streams).replace_poller(back=random.choice((0, 5)), kill=False)
    elif incident.startswith(("pause ", "resume ")):
        what, which = incident.split()
        for paused in stack.streams if which == "streams" else stack.queues:
            paused.resume() if what == "resume" else paused.pause()
    else:
        raise ValueError(incident)


def _send_strange(stack: Stack) -> None:
    """Send what nobody can read to some queue, in FIFO queues into a lane."""
    random = stack.world.random
    queue = random.choice(list(stack.aws.queues.values()))
    which = f"{STRANGE} {random.getrandbits(32)}"
    body = random.choice(
        (
            which,
            json.dumps([which]),
            json.dumps({"schema": FUTURE, "sink": None, "keys": [], "of": which}),
            json.dumps({"schema": FUTURE, "actions": [], "of": which}),
            json.dumps({"schema": FUTURE, "kind": "quarantined", "of": which}),
            json.dumps({"Records": [], "of": which}),
            *(json.dumps({**message, "of": which}) for message in MALFORMED),
        )
    )
    stack.strange.add(body)
    if isinstance(queue, FifoQueue):
        groups = sorted({message.group or "0" for message in queue.messages}) or ["0"]
        queue.send(body, group=random.choice(groups), once=which)
    else:
        queue.send(body)


def old_letters(stack: Stack, now: float) -> int:
    """How many open letters are of a failure that was more than a day ago."""
    failed = [row["last_at"] for row in stack.rows() if row["status"] == OPEN]
    return sum(now - datetime.fromisoformat(at).timestamp() > DAY_S for at in failed)


def discarded(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Owner, dict[str, Any]]]:
    """The items whose letters a person discarded, and what a resync command takes of them: who
    discards has to see to the item."""
    for row in rows:
        if row["status"] == DISCARDED and row["keys"]:
            place = owner(row["table"], row["keys"])
            yield place, {"table": row["table"], "keys": [row["keys"]]}


def needless(stack: Stack) -> list[str]:
    """The ids of open rows that can only be discarded: of what strangers sent, and of scheduled
    calls that failed, of which the next one does the same.

    Raises Violated unless each of their messages is kept as it came.
    """
    rows = {row["body"]: row for row in stack.rows() if row["kind"] == "unknown"}
    if missing := stack.strange - rows.keys():
        raise Violated(f"nobody could read {sorted(missing)[0]!r}, and nobody kept it")
    failed = [row for row in stack.rows() if row["kind"] == "invocation"]
    found = [*(rows[body] for body in sorted(stack.strange)), *failed]
    return [row["id"] for row in found if row["status"] == OPEN]
