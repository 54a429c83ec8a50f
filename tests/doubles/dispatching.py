"""A dispatcher over sinks in memory, for tests of what becomes of single records."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

from sync.model.change import Change
from sync.model.fields import Number, Text
from sync.model.model import Model, Route
from sync.model.planner import Planner
from sync.recovery.settle import Settle
from sync.runtime.clock import SystemClock
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.stream.dispatch import Dispatcher
from sync.writing.fanout import Fanout
from sync.writing.sink import Sink
from tests.doubles.kept import KeptLetters, KeptParking
from tests.doubles.wiring import a_brake, registry
from tests.records import CORE, core_keys, stream_record


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
        letters: KeptLetters | None = None,
        parking: KeptParking | None = None,
        memory: Sink | None = None,
        second: Sink | None = None,
        strict: Iterable[str] = (),
        models: Sequence[type[Model]] = (Thing, Shared, Broken),
    ) -> None:
        self.memory = Memory()
        self.letters = letters or KeptLetters()
        self.parking = parking or KeptParking()
        sinks: dict[str, Sink] = {
            Memory.name: memory or self.memory,
            Second.name: second or Second(),
        }
        brake = a_brake()
        self.dispatcher = Dispatcher(
            Planner(registry(*models), brake.read),
            Fanout(sinks, SystemClock(), strict=frozenset(strict), watchers=[brake]),
            Settle(self.parking, self.letters, brake, strict=frozenset(strict)),
        )

    @property
    def parked(self) -> list[tuple[str | None, str]]:
        """Sink and range key of each parked key."""
        return [(sink, key.source.keys["SK"]["S"]) for sink, key in self.parking.keys]

    def run(self, *records: Any) -> list[str]:
        answer = self.dispatcher.run(records, Deadline(30))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def document(self, document_id: str, target: str = "things") -> Any:
        body = self.memory.documents.get((target, document_id))
        return None if body is None else json.loads(body)


def thing(n: int, name: str | None = "x", **options: Any) -> Any:
    new = None if name is None else {"name": {"S": name}}
    return stream_record(core_keys("THING", f"ID#{n}"), new, **options)


def number(record: Any) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
