"""A dispatcher over sinks in memory, for tests of what becomes of single records."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar, Self

from sync.errors import Refused, Retry, Unavailable
from sync.model.change import Change
from sync.model.fields import Number, Text
from sync.model.model import Model, Route
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.recovery.letters import DeadLetter, DeadLetters
from sync.recovery.parking import Parked, Parking
from sync.recovery.settle import Settle
from sync.runtime.clock import SystemClock
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.stream.dispatch import Dispatcher
from sync.writing.fanout import Fanout
from sync.writing.op import Done, Op, Outcome
from sync.writing.sink import Sink
from tests.doubles.clocks import a_brake
from tests.records import CORE, core_keys, stream_record


class Letters(DeadLetters):
    """Keeps letters instead of publishing them; *broken* refuses every one."""

    def __init__(self, *, broken: bool = False) -> None:
        self.kept: list[DeadLetter] = []
        self._broken = broken

    def publish(self, letters: Iterable[DeadLetter]) -> Any:
        for letter in letters:
            if self._broken:
                yield letter, Unavailable("the topic is down")
            else:
                self.kept.append(letter)


class Queue(Parking):
    """Keeps parked keys, by sink; *broken* parks none."""

    def __init__(self, *, broken: bool = False) -> None:
        self.parked: list[tuple[str, Parked]] = []
        self._broken = broken

    def park(self, sink: str | None, keys: Sequence[Parked]) -> Iterator[tuple[Parked, Retry]]:
        for key in keys:
            if self._broken:
                yield key, Unavailable("the queue is down")
            else:
                self.parked.append((str(sink), key))


class Second(Memory):
    """Another sink, to tell apart from the first."""

    name: ClassVar[str] = "second"


class Thing(Model):
    """A thing with a name and an exact price."""

    name: Text
    price: Number | None = None


Thing.route = Route(CORE, {"PK": "THING", "SK": "ID#.+"}, {Memory: "things"})


class Shared(Model):
    """Feeds two sinks."""

    name: Text


Shared.route = Route(CORE, {"PK": "SHARED", "SK": ".+"}, {Memory: "shared", Second: "shared"})


class Broken(Model):
    """A model with a bug in its plan."""

    @classmethod
    def plan(cls, change: Change[Self]) -> Any:
        raise ZeroDivisionError("a bug")


Broken.route = Route(CORE, {"PK": "BROKEN", "SK": ".+"})


class Bench:
    """A dispatcher over memory sinks; what each op is answered may be decided by a test."""

    def __init__(
        self,
        *,
        letters: Letters | None = None,
        queue: Queue | None = None,
        memory: Sink | None = None,
        second: Sink | None = None,
        strict: Iterable[str] = (),
        models: Sequence[type[Model]] = (Thing, Shared, Broken),
    ) -> None:
        self.memory = Memory()
        self.letters = letters or Letters()
        self.queue = queue or Queue()
        sinks: dict[str, Sink] = {
            Memory.name: memory or self.memory,
            Second.name: second or Second(),
        }
        brake = a_brake()
        self.dispatcher = Dispatcher(
            Planner(Registry(models, "test"), brake.read),
            Fanout(sinks, SystemClock(), strict=frozenset(strict), watchers=[brake]),
            Settle(self.queue, self.letters, brake, strict=frozenset(strict)),
        )

    @property
    def parked(self) -> list[tuple[str, str]]:
        """Sink and range key of each parked key."""
        return [(sink, key.source.keys["SK"]["S"]) for sink, key in self.queue.parked]

    def run(self, *records: Any) -> list[str]:
        answer = self.dispatcher.run(records, Deadline(30))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def document(self, document_id: str, target: str = "things") -> Any:
        body = self.memory.documents.get((target, document_id))
        return None if body is None else json.loads(body)


class Answering(Memory):
    """A sink that answers as *answer* says, and writes nothing then."""

    def __init__(self, answer: Callable[[Op], Done | Refused | Retry]) -> None:
        super().__init__()
        self._answer = answer
        self.calls: list[Sequence[Op]] = []

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        self.calls.append(ops)
        return [Outcome(op, self._answer(op)) for op in ops]


def thing(n: int, name: str | None = "x", **options: Any) -> Any:
    new = None if name is None else {"name": {"S": name}}
    return stream_record(core_keys("THING", f"ID#{n}"), new, **options)


def number(record: Any) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
