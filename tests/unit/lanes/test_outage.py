"""A sink behind lanes is down for long: keys go round between the resync worker, the queue and its
worker."""

import heapq
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count, pairwise
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.errors import ModelBug, Unavailable
from sync.lanes import worker as module
from sync.lanes.messages import Action, read
from sync.lanes.worker import LaneWorker
from sync.recovery.parking import LIFETIME_S, LONGEST_DELAY_S, Parked, ParkedMessage, Parking
from sync.recovery.resync import Resync
from sync.recovery.worker import ResyncWorker
from sync.writing.fanout import Fanout
from sync.writing.op import Op
from tests.doubles.lane import Line
from tests.doubles.sinks import no_answer
from tests.doubles.wiring import planner, settle
from tests.records import core_keys
from tests.unit.lanes.things import Destination, Thing, op, source


class Delayed:
    """The resync queue: stands in for boto3's client, and knows when each message is due."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.due: list[tuple[float, int, str]] = []
        self._now = now
        self._order = count()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        for entry in Entries:
            at = self._now() + entry["DelaySeconds"]
            heapq.heappush(self.due, (at, next(self._order), entry["MessageBody"]))
        return {}


class Round:
    """Both workers and both queues, with *destination* at the end of the line."""

    def __init__(self, destination: Destination) -> None:
        self.line = line = Line(destination, Thing)
        self.began = line.clock.now
        self.waiting = Delayed(lambda: line.clock.now)
        parking = Parking("resync", {"sqs": self.waiting}.__getitem__, line.clock, delay_s=40)
        plan = planner(Thing)
        settle_ = settle(parking, line.letters)
        direct = Fanout({"typesense": destination}, line.clock)
        resync = Resync(plan, direct, line.table, line.clock)
        line.worker = LaneWorker(line.sender, destination.effect_s, direct, resync, settle_)
        queued = Fanout({"typesense": line.sender}, line.clock)
        self.resync_worker = ResyncWorker(Resync(plan, queued, line.table, line.clock), settle_)

    def put(self, id_: object, state: object) -> None:
        """The table has it, and so had the stream."""
        self.line.table.items[source(id_)] = {**source(id_).keys, "name": {"S": state}}
        version = self.line.clock.time_ns() - 1
        body = json.dumps({"name": state}).encode()
        self.line.send(Op("typesense", source(id_), "things", f"THING|{id_}", body, version))
        self.line.pump()

    def next(self) -> float:
        """Let the next message come due, and all that follows at once; the seconds waited."""
        at, _, body = heapq.heappop(self.waiting.due)
        waited = max(0.0, at - self.line.clock.now)
        self.line.clock.now += waited
        answer = self.resync_worker.run(
            [{"messageId": "m", "body": body}], self.line.deadline(seconds=30)
        )
        assert answer == {"batchItemFailures": []}
        self.line.pump()
        return waited


def down(_op: Op) -> Unavailable:
    return Unavailable("no connection")


@pytest.fixture
def destination() -> Destination:
    return Destination()


@pytest.mark.parametrize("size", [1, 3_000], ids=["carried", "too large for a message"])
def test_waits_grow_and_two_weeks_end(
    size: int, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for any other sink: asked ever more rarely, and in the end a person looks."""
    monkeypatch.setattr("sync.lanes.messages.MAX_BYTES", 2_000)  # 1,300 rounds take it
    destination.answer = down
    round_ = Round(destination)
    round_.put(1, "x" * size)
    waits = []
    while round_.waiting.due:
        waits.append(round_.next())
        assert len(round_.waiting.due) <= 1
        assert len(waits) < 2_000
    assert waits[0] <= 61
    assert all(after >= before / 1.5 for before, after in pairwise(waits))
    assert set(waits[50:]) == {LONGEST_DELAY_S}
    lasted = round_.line.clock.now - round_.began
    assert LIFETIME_S < lasted < LIFETIME_S + 2 * LONGEST_DELAY_S
    (letter,) = round_.line.letters.kept
    assert (letter.sink, letter.keys) == ("typesense", source(1).keys)
    assert "parked for 14 days, and still: " in str(letter.error)


def test_a_sink_that_is_back_ends_the_round(destination: Destination) -> None:
    """With what the table says by then."""
    destination.answer = down
    round_ = Round(destination)
    round_.put(1, "old")
    for _ in range(5):
        round_.next()
    round_.line.table.items[source(1)] = {**source(1).keys, "name": {"S": "new"}}
    destination.answer = no_answer
    while round_.waiting.due:
        round_.next()
    assert destination.holds() == {"THING|1": {"name": "new"}}
    assert not round_.line.letters.kept


def test_without_the_age_waits_never_grow(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the worker parks as if for the first time."""

    def anew(source: Source, after: int = 0, since: float | None = None) -> Parked:
        return Parked(source, after)

    monkeypatch.setattr(module, "Parked", anew)
    destination.answer = down
    round_ = Round(destination)
    round_.put(1, "x")
    assert max(round_.next() for _ in range(100)) <= 61


def test_an_action_carries_the_age_of_its_key() -> None:
    """And its message says nothing of it where there is none, as in older releases."""
    line = Line(Destination(), Thing)
    aged = Op("typesense", source(1), "things", "1", b"{}", 7, 1_700_000_000.5)
    line.send(aged, op(2, "x"))
    bodies = [message.body for message in line.fifo.waiting]
    found = {action.id: action for body in bodies for action in read(body)}
    assert found["1"].op("typesense") == aged
    assert found["2"].since_s is None
    assert sum(body.count('"since"') for body in bodies) == 1


def test_an_action_without_an_age_is_read() -> None:
    """A message may be older than the release that reads it."""
    text = Action.of(op(1, "x")).text()
    assert "since" not in text
    assert read(f'{{"schema":1,"actions":[{text}]}}') == [Action.of(op(1, "x"))]


def test_a_bug_in_a_plan_costs_its_own_document(
    destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of documents that were too large for the queue; the letter tells of the bug."""
    line = Line(destination, Thing)
    plan = Thing.plan

    def buggy(change: Any) -> Any:
        if change.id == "THING|1":
            raise ZeroDivisionError("a bug")
        return plan(change)

    monkeypatch.setattr(Thing, "plan", buggy)
    for n in (1, 2):
        line.table.items[source(n)] = {**source(n).keys, "name": {"S": "now"}}
    line.send(op(1, "x" * 300_000), op(2, "x" * 300_000), op(3, "x"))
    line.pump(rounds=5)
    assert not line.fifo.waiting
    assert destination.holds() == {"THING|2": {"name": "now"}, "3": {"name": "x"}}
    (letter,) = line.letters.kept
    assert isinstance(letter.error, ModelBug)
    assert letter.keys == core_keys("THING", "1")
    assert "ZeroDivisionError: a bug" in letter.envelope(0.0)["error"]["trace"]


def test_old_keys_and_new_ones_of_one_batch_keep_apart(destination: Destination) -> None:
    """Of one that waited for two weeks a letter tells, and the other is parked."""
    destination.answer = down
    round_ = Round(destination)
    line = round_.line
    long_ago = round_.began - LIFETIME_S - 1
    line.send(Op("typesense", source(1), "things", "1", b"{}", 1, long_ago), op(2, "x"))
    line.pump(rounds=1)
    assert not line.fifo.waiting
    assert [letter.document_id for letter in line.letters.kept] == ["1"]
    ((_, _, body),) = round_.waiting.due
    assert ParkedMessage.read(body).keys == (Parked(source(2), 1, round_.began),)


@pytest.mark.parametrize("size", [1, 300_000], ids=["carried", "too large for a message"])
@pytest.mark.parametrize("ages", [(9.0, None), (None, 9.0), (9.0, 3.0)])
def test_a_key_keeps_its_age_when_its_document_changes_meanwhile(
    ages: tuple[float | None, ...], size: int, destination: Destination
) -> None:
    """Whichever action is the last of a batch: else a document that changes often would be tried
    for ever."""
    destination.answer = down
    line = Line(destination, Thing)
    line.table.items[source(1)] = {**source(1).keys, "name": {"S": "x"}}
    since = [None if days is None else line.clock.now - days * 24 * 3600 for days in ages]
    for since_s in since:
        line.send(replace(op(1, "x" * size), since_s=since_s))
    line.pump(rounds=1)
    (parked,) = [key for _, key in line.parking.keys]
    assert parked.since_s == line.clock.now - 9.0 * 24 * 3600
