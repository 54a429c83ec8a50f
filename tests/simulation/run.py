"""One seed: a world is made, goes wrong, comes to rest, is mended, and has to be right."""

import random as global_random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final
from unittest import mock
from uuid import UUID

from sync.aws.keys import Source
from sync.deadletters import journal
from sync.model import mappings
from sync.recovery.parking import Parked, ParkedMessage
from sync.runs import control
from sync.runtime.log import logger
from sync.sinks.typesense import Typesense
from sync.writing.lane import by_document
from tests.asked import Ask
from tests.simulation import (
    derived,
    dynamodb,
    hands,
    invariants,
    letters,
    meddling,
    whole,
    whole_drawn,
)
from tests.simulation.effort import Effort
from tests.simulation.isolation import Isolation
from tests.simulation.models import Article, corrected, expected, is_valid, kind_of
from tests.simulation.scenario import Scenario, draw
from tests.simulation.stack import ALIASES, COLLECTIONS, Stack
from tests.simulation.table import key_of
from tests.simulation.world import SECOND, START_NS, Stuck, World
from tests.simulation.writes import Write

WRITE_S: Final = 0.01  # how long a write is under way
MOST_STEPS: Final = 400_000  # of a seed; a few thousand are usual
CAST_SINKS: Final = ("opensearch", "plain", "typesense")
ROUNDS: Final = 40  # of replaying everything
ROUND_S: Final = 60.0
RECOVERIES: Final = 12
SCHEDULE_S: Final = 901.0
SCHEMA: Final[dict[str, Any]] = {  # of what is reindexed: the servers take any document
    "mappings": {"properties": {}},
    "fields": [],
}


@dataclass(frozen=True)
class Report:
    """How a seed went. *failure*: what was wrong, None if nothing was."""

    seed: int
    kind: str  # of history, see KINDS of scenario.py
    failure: str | None
    fingerprint: str
    fired: Counter[tuple[str, str]]
    writes: int  # of the application, that changed something
    keys: int
    steps: int
    places: int  # that the sinks have to hold
    excused: int  # … which they don't, and a dead letter tells so
    used: Mapping[str, float]  # of each bound on effort, the share that was used at most
    trace: list[str] | None
    asked: frozenset[Ask]  # of AWS, by the functions


def simulate(seed: int, *, trace: bool = False) -> Report:
    """Run *seed*. The same seed gives the same history, to the last event."""
    world = World(seed, trace=trace)
    scenario = draw(seed)
    with _settings(seed, scenario):
        run = Simulation(world, scenario)
        failure = None
        try:
            run.run()
        except (invariants.Violated, Stuck) as error:
            failure = f"{type(error).__name__}: {error}"
    return Report(
        seed,
        scenario.kind,
        failure,
        world.fingerprint(),
        run.stack.calls.fired,
        run.written,
        len({str(write.keys) for write in run.scenario.writes}),
        world.steps,
        run.places,
        run.excused,
        run.effort.used,
        world.trace,
        frozenset(run.stack.asked.asks),
    )


@contextmanager
def _settings(seed: int, scenario: Scenario) -> Iterator[None]:
    """What is global while a seed runs: its chance, the log, lanes, and the mended model."""
    state = global_random.getstate()
    level, handlers, propagate = logger.level, list(logger.handlers), logger.propagate
    global_random.seed(seed)
    Article.mended = False
    page_bytes = (
        whole_drawn.PAGE_BYTES if scenario.kind == whole_drawn.KIND else dynamodb.PAGE_BYTES
    )
    lanes = replace(Typesense.lanes, of=by_document(scenario.lanes))
    try:
        with (
            mock.patch.object(Typesense, "lanes", lanes),
            mock.patch.object(journal, "uuid4", _drawn_id),
            mock.patch.object(dynamodb, "PAGE_BYTES", page_bytes),
            mock.patch.object(control, "uuid4", _drawn_id),
            mock.patch.object(mappings, "schema_of", return_value=SCHEMA),
        ):
            yield
    finally:
        Article.mended = False
        global_random.setstate(state)
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def _drawn_id() -> UUID:
    return UUID(int=global_random.getrandbits(128))


class Simulation:
    """A scenario, played in a world with the service in it."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world = world
        self.scenario = scenario
        self.stack = Stack(world, scenario)
        self.effort = Effort(self.stack, scenario)
        self.written = 0
        self.places = 0  # that the sinks have to hold
        self.excused = 0  # differences of which a dead letter tells

    def run(self) -> None:
        """Raises Violated or Stuck."""
        scenario, world, stack = self.scenario, self.world, self.stack
        for write in scenario.writes:
            world.after(write.at, partial(self._write, write))
        for at, incident in scenario.incidents:
            world.after(at, partial(self._befall, incident))
        world.after(scenario.ends, self._calm)
        if scenario.missing:
            stack.opensearch.aliases.discard(scenario.missing)
            stack.typesense.aliases.discard(scenario.missing)
        if scenario.kind == "one down":
            Isolation(stack, scenario, self.effort)
        if scenario.old_message:
            self._park_long_ago()
        self._rest()
        if scenario.kind == whole_drawn.KIND:
            whole.settle(stack, self._rest)
        self.effort.rested()
        if scenario.deploys:  # to models with other fields: then the table is resynced
            self._resync({"table": table.name} for table in self.stack.tables)
        self._recover()
        meddling.put_right(stack, self._rest)
        lost = self._lost()
        history = letters.History(self.stack.tables, limited=scenario.most_bytes is not None)
        rows = list(self.stack.rows())
        for row in rows:
            self.world.note("letter", row["id"], row["status"], row["error"], row["version"])
        self.places = sum(len(expected(item)) for item in history.items.values())
        told = list(letters.explained(self._differences(), rows, history, set(lost)))
        self.excused = len(told)
        letters.hold_older(told, self.stack.sinks, history, deployed=scenario.deploys)
        letters.are_few(rows)
        letters.are_true(rows, history)
        letters.have_reasons(rows, history, self._may_expire)
        letters.whole(self.stack.tables, rows, {*lost, *stack.forgotten})
        self._mend()
        self._rest()
        self._resync(lost.values())
        self._replay_all()
        invariants.nothing_differs(self._differences())
        derived.recounted(self.stack.core)
        if scenario.kind == whole_drawn.KIND:
            whole.finale(stack, self._rest, self._differences)

    def _rest(self) -> None:
        """Let the world run until nothing is left to happen."""
        stack = self.stack
        self.world.run(most_steps=MOST_STEPS)
        self.effort.verify()
        for function in stack.functions:
            for error in function.unexpected:
                raise invariants.Violated(f"{function.name} raised {error!r}") from error
        if work := list(stack.work()):
            raise invariants.Violated(f"at rest, though there is work: {', '.join(work)}")
        if any(queue.dropped for queue in stack.aws.queues.values()):
            raise invariants.Violated("a message was dropped for its age")

    def _differences(self) -> list[invariants.Difference]:
        stack = self.stack
        return [
            *invariants.differences(stack.tables, stack.sinks),
            *derived.counts(stack.core, stack.contributions),
            *derived.default_images(stack.core),
        ]

    def _write(self, write: Write) -> None:
        table = self.stack.table(write.table)
        keys = {name: dict(value) for name, value in write.keys.items()}
        key = key_of(table.names, keys)
        if busy_s := table.busy_s(key):  # TransactionConflictException, which clients try again
            self.world.after(busy_s, partial(self._write, write))
            return
        before = table.items.get(key)
        if write.kind == "put":
            table.put({**keys, **write.values})
        elif write.kind == "update":
            table.update(keys, write.values)
        else:
            table.delete(keys, expired=write.kind == "expire")
        table.occupy(key, WRITE_S * self.world.random.random())
        self.written += table.items.get(key) != before

    def _befall(self, incident: str) -> None:
        stack, world = self.stack, self.world
        random = world.random
        if stack.calls.trouble.over:
            return
        world.note("incident", incident)
        stack.calls.fired["world", incident] += 1
        if incident == "kill":
            running = [(f, invocation) for f in stack.functions for invocation in f.running]
            if running:
                function, invocation = random.choice(running)
                function.kill(invocation, "killed")
        elif incident == "recycle":
            for function in stack.functions:
                function.recycle()
        elif incident == "split":
            random.choice(stack.tables).stream.split()
            for mapping in stack.streams:
                mapping.look()
        elif incident in ("replace poller", "rewind"):
            back = 0 if incident == "replace poller" else random.choice((1, 5, 1000))
            random.choice(stack.streams).replace_poller(back=back)
        elif incident == "restart":
            stack.opensearch.restart()
            stack.typesense.restart()
        elif incident in ("alias", "block", "key"):
            if incident == "alias":
                stack.opensearch.aliases.discard(random.choice(ALIASES))
                stack.typesense.aliases.discard(random.choice(COLLECTIONS))
            stack.opensearch.blocked |= incident == "block"
            if incident == "key":
                stack.opensearch.locked = stack.typesense.locked = True
            world.after(random.choice((5.0, 120.0)), self._put_right)
        elif incident in ("replay", "replay twice"):
            old = hands.old_letters(stack, world.now)
            stack.calls.fired["world", "letter replayed after a day"] += old
            for _ in range(1 if incident == "replay" else 2):
                stack.command({"command": "dlq replay", "all": True}, lambda _answer: None)
        elif incident == "recover":
            stack.schedule({"command": "recover"})
        elif incident.startswith("resync"):
            table = random.choice(stack.tables).name
            sink = random.choice((None, *CAST_SINKS))
            if incident == "resync typesense":
                table, sink = stack.core.name, "typesense"
            stack.command({"command": "resync", "table": table, "sink": sink}, lambda _: None)
        elif incident == "show":  # a large one, if there is one: its body is in the bucket
            rows = sorted(stack.rows(), key=lambda row: (row["payload"] is None, row["id"]))
            for _ in rows[:3]:
                stack.command({"command": "dlq show", "id": rows[0]["id"]}, lambda _answer: None)
        elif incident in whole.OWN:
            whole.befall(stack, incident)
        else:
            hands.befall(stack, incident)

    def _put_right(self) -> None:
        opensearch, typesense = self.stack.opensearch, self.stack.typesense
        opensearch.aliases.update(ALIASES)
        typesense.aliases.update(COLLECTIONS)
        opensearch.blocked = opensearch.locked = typesense.locked = False

    def _calm(self) -> None:
        self.world.note("all trouble is over")
        self._put_right()
        self.stack.typesense.guarded = False
        if self.scenario.bulk:  # what nearly all items of a bulk load were, is put right at once
            self._mend()
        self.stack.calls.trouble.over = True

    def _park_long_ago(self) -> None:
        """A key of which SQS has heard for almost 14 days, over and over."""
        write = self.scenario.writes[0]
        since = self.world.now - 14 * 86_400 + 3600 + self.world.random.uniform(-900, 3600)
        sink = "opensearch" if "documents" in self.scenario.cast else "typesense"
        message = ParkedMessage(sink, (Parked(Source(write.table, write.keys)),), 1300, since)
        self.stack.resync_queue.send(message.body())

    def _may_expire(self, one: invariants.Owner) -> bool:
        """Whether a key of *one* may have been parked for 14 days."""
        first = self.scenario.writes[0]
        if self.scenario.old_message and one == invariants.owner(first.table, first.keys):
            return True
        return self.world.now - START_NS / SECOND > letters.LIFETIME_S

    def _mend(self) -> None:
        """Every cause of a dead letter is seen to, by those whose it is."""
        self.world.note("mended")
        stack = self.stack
        stack.opensearch.mended = stack.typesense.mended = stack.store.mended = True
        Article.mended = True
        for table in stack.tables:
            for item in list(table):
                kind = kind_of(item)
                if kind and not is_valid(item):
                    table.update({name: item[name] for name in table.names}, corrected(item, kind))

    def _recover(self) -> None:
        """Let the schedule do what it does every quarter of an hour, until nothing is left to it.

        Raises Violated if there always is.
        """
        for number in range(1, RECOVERIES + 1):
            self.effort.check("rounds of recovery", number, RECOVERIES, "each after 15 minutes")
            self.world.after(SCHEDULE_S, lambda: None)
            self._rest()
            answers: list[Any] = []
            self.stack.command({"command": "recover"}, answers.append)
            self._rest()
            (answer,) = answers
            if not answer["results"] and not answer["parked"] and not self.stack.noted():
                return
        raise invariants.Violated(f"recovering without end: {answer}")

    def _lost(self) -> dict[invariants.Owner, dict[str, Any]]:
        """The items of records that Lambda could tell nobody of, as a person learns from an alarm,
        and of letters that a person discarded: what a resync command takes."""
        found = dict(hands.discarded(self.stack.rows()))
        for table, mapping in zip(self.stack.tables, self.stack.streams, strict=True):
            for event in mapping.lost:
                keys = event["dynamodb"]["Keys"]
                found[invariants.owner(table.name, keys)] = {"table": table.name, "keys": [keys]}
        return found

    def _resync(self, lost: Iterable[dict[str, Any]]) -> None:
        for one in lost:
            self.stack.command({"command": "resync", **one}, lambda _answer: None)
            self._rest()

    def _replay_all(self) -> None:
        """Replay until no row is open, as a person would. Raises Violated if that never is."""
        stack = self.stack
        if needless := hands.needless(stack):
            discard = {"command": "dlq discard", "ids": needless, "reason": hands.REASON}
            stack.command(discard, lambda _answer: None)
            self._rest()
        for number in range(ROUNDS):
            self.effort.check("rounds of replaying", number, ROUNDS, "of everything")
            if not any(row["status"] == "open" for row in stack.rows()):
                return
            answers: list[Any] = []
            stack.command({"command": "dlq replay", "all": True}, answers.append)
            self._rest()
            self.world.after(ROUND_S, lambda: None)
            self._rest()
        left = [(row["id"], row["error"]) for row in stack.rows() if row["status"] == "open"]
        raise invariants.Violated(f"not replayed after {ROUNDS} rounds: {left[:3]}")
