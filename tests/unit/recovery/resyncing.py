"""A table and two sinks in memory, and what brings one in line with the other."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from sync.aws.items import Found
from sync.aws.keys import Source
from sync.errors import Refused, Retry
from sync.model.fields import Text
from sync.model.model import Model, Route
from sync.recovery.parking import Parked, ParkedMessage
from sync.recovery.resync import Resync
from sync.recovery.worker import ResyncWorker
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.fanout import Fanout
from sync.writing.op import Done, Op, Outcome
from sync.writing.sink import Sink
from tests.doubles.clocks import ManualClock
from tests.doubles.kept import KeptItems, KeptLetters, KeptParking
from tests.doubles.wiring import planner, settle
from tests.records import CORE, core_keys


class Plain(Memory):
    """A sink without versions."""

    name: ClassVar[str] = "plain"


class Thing(Model):
    name: Text


Thing.route = Route(CORE, {"PK": "THING", "SK": ".+"}, {Memory: "things", Plain: "things"})


class Table(KeptItems):
    """A table in memory; *after_read* may write to it, as an application would."""

    def __init__(self) -> None:
        super().__init__()
        self.after_read: Callable[[], None] = lambda: None

    def put(self, n: int, name: str | None) -> None:
        keys = core_keys("THING", str(n))
        self.items[Source(CORE, keys)] = None if name is None else {**keys, "name": {"S": name}}

    def read(self, sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        found = super().read(sources, deadline)
        self.after_read()
        return found


class AnsweringInTurn(Memory):
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
        fanout = Fanout({kind.name: sink for kind, sink in sinks.items()}, self.clock)
        self.resync = Resync(planner(Thing), fanout, self.table, self.clock)
        self.deadline = Deadline(30, clock=self.clock.monotonic, sleep=self.clock.sleep)

    def run(self, *keys: Parked, only: str | None = None) -> list[Any]:
        return [s.verdict for s in self.resync.run(keys, self.deadline, only=only)]

    def become(self, name: str) -> None:
        """Item 1 is *name* from its next reading on."""
        names = iter([name])

        def change() -> None:
            for each in names:
                self.table.put(1, each)

        self.table.after_read = change

    def held(self, sink: Memory, n: int = 1) -> Any:
        body = sink.documents.get(("things", f"THING|{n}"))
        return None if body is None else json.loads(body)["name"]


class Work(World):
    """The same, with the worker of the queue of parked keys."""

    def __init__(self, memory: Memory | None = None) -> None:
        super().__init__(memory)
        self.parking = KeptParking(self.clock)
        self.letters = KeptLetters()
        self.worker = ResyncWorker(self.resync, settle(self.parking, self.letters))

    def receive(self, *keys: Parked, since_s: float | None = None, tries: int = 0) -> list[str]:
        message = ParkedMessage("memory", keys, tries, since_s or self.clock.now)
        return self.bodies(message.body())

    def bodies(self, *bodies: str) -> list[str]:
        records: list[Mapping[str, Any]] = [
            {"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)
        ]
        answer = self.worker.run(records, self.deadline)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def key(n: int = 1, *, after: int = 0, since_s: float | None = None) -> Parked:
    return Parked(Source(CORE, core_keys("THING", str(n))), after, since_s)
