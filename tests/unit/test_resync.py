"""Bringing sinks in line with the table, key by key, and the worker of the queue."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from sync.deadletters.letters import DeadLetter
from sync.deadline import Deadline
from sync.errors import (
    InvalidImage,
    Misconfigured,
    NotTried,
    Refused,
    Retry,
    Unanswered,
    Unavailable,
)
from sync.fanout import Fanout
from sync.fields import Text
from sync.items import Found, Items
from sync.model import Model, Route
from sync.ops import Done, Op, Outcome, Source
from sync.recovery.parking import LIFETIME_S, Message, Parked, Parking
from sync.recovery.resync import ROUNDS, Resync, Settled, Unmatched
from sync.recovery.worker import ResyncWorker
from sync.registry import Registry
from sync.sinks.base import Sink
from sync.sinks.memory import Memory
from sync.versions import stream_version
from tests.clocks import ManualClock, a_brake
from tests.records import CORE, core_keys


class Plain(Memory):
    """A sink without versions."""

    name: ClassVar[str] = "plain"


class Thing(Model):
    name: Text


Thing.route = Route(CORE, {"PK": "THING", "SK": ".+"}, {Memory: "things", Plain: "things"})


class Table(Items):
    """A table in memory; *after_read* may write to it, as an application would."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}
        self.after_read: Callable[[], None] = lambda: None

    def put(self, n: int, name: str | None) -> None:
        self.items[str(n)] = (
            None if name is None else {**core_keys("THING", str(n)), "name": {"S": name}}
        )

    def read(self, sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        found = {source: self.items.get(source.keys["SK"]["S"]) for source in sources}
        self.after_read()
        return found


class Answering(Memory):
    """Answers as told instead of writing, as long as there is an answer left."""

    def __init__(self, *answers: Done | Refused | Retry) -> None:
        super().__init__()
        self.answers = list(answers)

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        if self.answers:
            answer = self.answers.pop(0)
            return [Outcome(op, answer) for op in ops]
        return list(super().write(ops, deadline))


class World:
    def __init__(self, memory: Memory | None = None) -> None:
        self.clock = ManualClock()
        self.table = Table()
        self.memory = memory or Memory()
        self.plain = Plain(versioned=False)
        sinks: dict[type[Sink], Sink] = {Memory: self.memory, Plain: self.plain}
        fanout = Fanout(sinks, self.clock)
        self.resync = Resync(Registry([Thing], "test"), fanout, self.table, self.clock)
        self.deadline = Deadline(30, clock=self.clock.monotonic, sleep=self.clock.sleep)

    def run(self, *keys: Parked, only: str | None = None) -> list[Any]:
        return [s.verdict for s in self.resync.run(keys, self.deadline, only=only)]

    def held(self, sink: Memory, n: int = 1) -> Any:
        body = sink.documents.get(("things", f"THING|{n}"))
        return None if body is None else json.loads(body)["name"]


def key(n: int = 1, *, after: int = 0) -> Parked:
    return Parked(Source(CORE, core_keys("THING", str(n))), after)


def test_every_sink_is_brought_in_line() -> None:
    """What is there is written, what is gone is deleted."""
    world = World()
    world.plain.documents["things", "THING|2"] = b'{"name":"old"}'
    world.table.put(1, "one")
    assert world.run(key(1), key(2)) == [Done.WRITTEN, Done.WRITTEN]
    assert world.held(world.memory, 1) == world.held(world.plain, 1) == "one"
    assert world.held(world.plain, 2) is None


def test_only_the_sink_that_missed_it_is_written() -> None:
    """The others have it, and may be down themselves."""
    world = World()
    world.table.put(1, "one")
    assert world.run(key(1), only="plain") == [Done.WRITTEN]
    assert world.held(world.plain) == "one"
    assert world.memory.documents == {}


def test_an_item_that_changes_meanwhile_is_written_again() -> None:
    """Verifying is what makes a sink without versions safe."""
    world = World()
    world.table.put(1, "one")
    writes = iter(["two"])

    def change() -> None:
        for name in writes:
            world.table.put(1, name)
            break

    world.table.after_read = change
    assert world.run(key(1)) == [Done.WRITTEN]
    assert world.held(world.memory) == world.held(world.plain) == "two"


def test_a_refusal_of_one_sink_leaves_no_other_unverified() -> None:
    """The other has to hold what the item became meanwhile."""
    world = World(Answering(Refused("no"), Refused("no")))
    world.table.put(1, "one")
    names = iter(["two"])

    def change() -> None:
        for name in names:
            world.table.put(1, name)
            break

    world.table.after_read = change
    (verdict,) = world.run(key(1))
    assert isinstance(verdict, Refused)
    assert world.held(world.plain) == "two"


def test_what_was_sent_unanswered_is_not_followed_by_a_newer_write() -> None:
    """It may land on top of that: the key is left for later, though its item has changed."""
    world = World(Answering(Unanswered("no answer")))
    world.table.put(1, "one")
    names = iter(["two"])

    def change() -> None:
        for name in names:
            world.table.put(1, name)
            break

    world.table.after_read = change
    (settled,) = world.resync.run([key(1)], world.deadline)
    assert (type(settled.verdict), settled.tried) == (Unanswered, True)
    assert world.memory.documents == {}
    assert world.held(world.plain) == "one"


@pytest.mark.parametrize("only", [None, "memory"])
@pytest.mark.parametrize("stage", ["not sent", "unanswered", "verifying", "changing", "again"])
def test_a_key_says_whether_anything_was_sent_for_it(stage: str, only: str | None) -> None:
    """Whoever does not come again by himself has to know: then somebody must."""
    answers: dict[str, list[Any]] = {
        "not sent": [NotTried("open")] * 2,
        "unanswered": [Unanswered("no answer")],
        "again": [Done.WRITTEN, NotTried("open")],
    }
    world = World(Answering(*answers.get(stage, [])))
    world.table.put(1, "one")
    reads = iter(range(99))

    def change() -> None:
        n = next(reads)
        if stage == "changing" or (stage == "again" and n == 0):
            world.table.put(1, f"name {n}")
        elif stage == "verifying":
            world.table.items["1"] = Unavailable("503")

    world.table.after_read = change
    (settled,) = world.resync.run([key(1)], world.deadline, only=only)
    assert isinstance(settled.verdict, Retry)
    assert settled.tried == (stage != "not sent")


def test_an_item_that_changes_all_the_time_is_left_for_later() -> None:
    """Bounded work: its own stream records are on their way."""
    world = World()
    names = iter(range(100))

    def change() -> None:
        world.clock.now += 1
        world.table.put(1, f"name {next(names)}")

    world.table.after_read = change
    (verdict,) = world.run(key(1))
    assert isinstance(verdict, Unavailable)
    assert next(names) == 2 * ROUNDS


def test_a_key_waits_until_its_version_is_past() -> None:
    """Else the write that parked it could land on top, late."""
    world = World()
    world.table.put(1, "one")
    parked = key(1, after=stream_version(int(world.clock.now) + 5, 7))
    (verdict,) = world.run(parked)
    assert isinstance(verdict, Unavailable)
    assert world.memory.documents == {}
    world.clock.now += 6
    assert world.run(parked) == [Done.WRITTEN]


def test_a_resync_that_may_land_yet_is_waited_for_by_the_next() -> None:
    """Which may run by a clock that is behind, and would be overwritten by it."""
    world = World(Answering(Unavailable("timeout")))
    world.table.put(1, "one")
    (settled,) = world.resync.run([key(1)], world.deadline)
    assert settled.key == key(1, after=world.clock.time_ns())
    world.clock.now += 20  # its breaker lets a try through
    assert world.run(settled.key, only="memory") == [Done.WRITTEN]


def test_of_keys_of_one_item_the_one_that_waits_longest_counts() -> None:
    """In whatever order they came."""
    world = World()
    late = stream_version(int(world.clock.now) + 5, 7)
    for keys in ([key(1), key(1, after=late)], [key(1, after=late), key(1)]):
        (verdict,) = world.run(*keys)
        assert isinstance(verdict, Unavailable)


def test_a_stale_resync_is_not_the_end() -> None:
    """The sink's version may be a clock's error; it is tried again later."""
    world = World(Answering(Done.STALE))
    world.table.put(1, "one")
    (verdict,) = world.run(key(1), only="memory")
    assert isinstance(verdict, Retry)
    assert world.run(key(1), only="memory") == [Done.WRITTEN]


def test_nothing_is_read_for_a_sink_that_is_not_tried() -> None:
    """Its breaker is open: an outage must not cost the table a reading for each parked key."""
    world = World(Answering(Unavailable("503"), Unavailable("503")))
    world.run(key(1), only="memory")
    world.table.after_read = lambda: pytest.fail("read")
    (verdict,) = world.run(key(1), only="memory")
    assert isinstance(verdict, Unavailable)


def test_what_can_never_succeed_is_said_so() -> None:
    """By the model, or by the destination."""
    world = World(Answering(Refused("no")))
    world.table.items["1"] = {**core_keys("THING", "1"), "name": {"N": "5"}}
    world.table.put(2, "two")
    kinds = {type(verdict) for verdict in world.run(key(1), key(2))}
    assert kinds == {InvalidImage, Refused}


def test_a_key_that_no_model_wants_is_nobodys() -> None:
    """A model that changed since, or a sink it no longer feeds."""
    world = World()
    other = Parked(Source(CORE, core_keys("OTHER", "1")))
    assert world.run(other) == [Unmatched()]
    assert world.run(key(1), only="gone") == [Unmatched()]


def test_an_item_that_cannot_be_read_is_not_taken_for_absent() -> None:
    """Else a throttled table would empty the sinks."""
    world = World()
    world.run(key(1))
    world.table.put(1, "one")
    world.run(key(1))
    error = Misconfigured("no such table")
    world.table.items["1"] = error
    assert world.run(key(1)) == [error]
    assert world.held(world.memory) == "one"


class Queue(Parking):
    def __init__(self, clock: ManualClock) -> None:
        super().__init__("queue", lambda _: None, clock, delay_s=40)
        self.sent: list[Message] = []
        self.broken = False

    def _send(self, like: Message, keys: Sequence[Parked]) -> Iterator[tuple[Parked, Retry]]:
        if self.broken:
            yield from ((key, Unavailable("down")) for key in keys)
        elif keys:
            self.sent.append(replace(like, keys=tuple(keys)))


class Letters:
    def __init__(self) -> None:
        self.kept: list[DeadLetter] = []
        self.broken = False

    def publish(self, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, Retry]]:
        for letter in letters:
            if self.broken:
                yield letter, Unavailable("down")
            else:
                self.kept.append(letter)


class Work(World):
    def __init__(self, memory: Memory | None = None) -> None:
        super().__init__(memory)
        self.queue = Queue(self.clock)
        self.letters = Letters()
        letters: Any = self.letters
        self.worker = ResyncWorker(self.resync, self.queue, letters, a_brake())

    def receive(self, *keys: Parked, since: float | None = None, tries: int = 0) -> list[str]:
        message = Message("memory", keys, tries, since or self.clock.now)
        return self.bodies(message.body())

    def bodies(self, *bodies: str) -> list[str]:
        records: list[Mapping[str, Any]] = [
            {"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)
        ]
        answer = self.worker.run(records, self.deadline)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_message_whose_keys_are_in_line_is_done() -> None:
    """Nothing is parked, nothing quarantined."""
    work = Work()
    work.table.put(1, "one")
    assert work.receive(key(1)) == []
    assert work.held(work.memory) == "one"
    assert (work.queue.sent, work.letters.kept) == ([], [])


def test_what_is_left_of_a_message_is_parked_again() -> None:
    """One try more, and above what was tried now."""
    work = Work(Answering(Unavailable("503")))
    assert work.receive(key(1, after=5), tries=2) == []
    (sent,) = work.queue.sent
    left = replace(key(1, after=work.clock.time_ns()), since=work.clock.now)
    assert (sent.keys, sent.tries) == ((left,), 3)


def test_an_op_carries_the_age_of_its_key() -> None:
    """For sinks that hand it on; those of replays and commands have none."""
    seen: list[float | None] = []

    class Seeing(Memory):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            seen.extend(op.since for op in ops)
            return super().write(ops, deadline)

    work = Work(Seeing())
    work.receive(key(1), since=work.clock.now - 7)
    work.run(key(2))
    assert seen == [work.clock.now - 7, None]


def test_a_message_that_cannot_be_parked_again_comes_again() -> None:
    """SQS keeps it."""
    work = Work(Answering(Unavailable("503")))
    work.queue.broken = True
    assert work.receive(key(1)) == ["m0"]


def test_after_two_weeks_a_key_becomes_a_dead_letter() -> None:
    """SQS would drop it without a word."""
    work = Work(Answering(Unavailable("503")))
    work.table.put(1, "one")
    assert work.receive(key(1), since=work.clock.now - LIFETIME_S - 1) == []
    (letter,) = work.letters.kept
    assert "parked for 14 days, and still: 503" in str(letter.error)
    assert "item" not in letter.raw  # so that a replay is tried although it has not changed
    assert work.queue.sent == []


def test_a_refused_key_becomes_a_dead_letter_with_its_item() -> None:
    """And where its letter can't be published, the message comes again."""
    work = Work(Answering(Refused("no"), Refused("no")))
    work.table.put(1, "one")
    assert work.receive(key(1)) == []
    (letter,) = work.letters.kept
    assert (letter.sink, letter.document_id) == ("memory", "THING|1")
    work.letters.broken = True
    assert work.receive(key(1)) == ["m0"]


@pytest.mark.parametrize("body", ["", "{}", '{"schema": 99}'])
def test_an_unreadable_message_comes_again_and_spoils_no_other(body: str) -> None:
    """In the end it goes to the dead letters, whole."""
    work = Work()
    work.table.put(1, "one")
    good = Message("memory", (key(1),), 0, work.clock.now).body()
    assert work.bodies(body, good) == ["m0"]
    assert work.held(work.memory) == "one"


def test_settled_names_the_op_that_failed() -> None:
    """For the dead letter."""
    world = World(Answering(Refused("no")))
    world.table.put(1, "one")
    (settled,) = world.resync.run([key(1)], world.deadline)
    assert isinstance(settled, Settled)
    assert settled.op is not None
    assert (settled.op.id, settled.sink) == ("THING|1", Memory)


def test_copies_that_meet_become_one() -> None:
    """A long outage parks an item with each of its changes; they are not tried for ever apart."""
    work = Work(Answering(Unavailable("503")))
    now = work.clock.now
    bodies = [Message("memory", (key(1, after=n), key(n)), 0, now).body() for n in range(2, 6)] + [
        Message("plain", (key(1),), 0, now).body()
    ]
    assert work.bodies(*bodies) == []
    (sent,) = work.queue.sent
    assert sent.sink == "memory"
    assert [k.source for k in sent.keys].count(key(1).source) == 1
    assert len(sent.keys) == 5


def test_a_message_comes_again_with_those_that_name_its_key() -> None:
    """And with no others, where what is left can't be parked."""
    work = Work(Answering(Unavailable("503")))
    work.queue.broken = True
    work.table.put(9, "nine")
    now = work.clock.now
    first, second = (Message("memory", (key(1), key(n)), 0, now).body() for n in (2, 3))
    other = Message("plain", (key(9),), 0, now).body()
    assert work.bodies(first, other, second) == ["m0", "m2"]


def test_large_messages_stay_apart() -> None:
    """What a worker does well within its time."""
    work = Work(Answering(*[Unavailable("503")] * 20))
    keys = [key(n) for n in range(1200)]
    now = work.clock.now
    bodies = [Message("memory", tuple(keys[at : at + 600]), 0, now).body() for at in (0, 600)]
    assert work.bodies(*bodies) == []
    assert [len(m.keys) for m in work.queue.sent] == [600, 600]


def test_few_items_are_in_memory_at_once() -> None:
    """A thousand of 400 KB would not fit."""
    world = World()
    reads: list[int] = []
    read = world.table.read

    def counted(sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        reads.append(len(sources))
        return read(sources, deadline)

    world.table.read = counted  # type: ignore[method-assign]
    for n in range(250):
        world.table.put(n, "x")
    assert set(world.run(*(key(n) for n in range(250)))) == {Done.WRITTEN}
    assert reads == [100, 100, 100, 100, 50, 50]


def test_a_sink_that_is_down_is_not_read_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first slice its breaker is open: the items of the others are left alone."""
    world = World(Answering(*[Unavailable("503")] * 5))
    monkeypatch.setattr("sync.recovery.resync.SLICE", 2)
    assert [type(v) for v in world.run(*(key(n) for n in range(5)), only="memory")] == [
        *[Unavailable] * 2,
        *[NotTried] * 3,
    ]
