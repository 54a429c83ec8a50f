"""Typesense's queue and worker with what stands behind them, in memory, for tests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from sync.aws.items import Found, Items
from sync.aws.keys import Source
from sync.errors import Retry
from sync.lanes.sender import Sender
from sync.lanes.worker import LaneWorker
from sync.model.model import Model
from sync.recovery.letters import DeadLetter, DeadLetters
from sync.recovery.parking import Parked, Parking
from sync.recovery.resync import Resync
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.writing.fanout import Fanout
from sync.writing.op import Op, Outcome
from sync.writing.sink import Sink
from tests.doubles.clocks import ManualClock
from tests.doubles.fifo import URL, Fifo
from tests.doubles.wiring import planner, settle


@dataclass
class Kept(Parking):
    """Parking that keeps keys, or fails as told."""

    keys: list[tuple[str | None, Parked]] = field(default_factory=list)
    error: Retry | None = None

    def park(self, sink: str | None, keys: Sequence[Parked]) -> Iterator[tuple[Parked, Retry]]:
        for key in keys:
            if self.error:
                yield key, self.error
            else:
                self.keys.append((sink, key))


@dataclass
class Letters(DeadLetters):
    """Dead letters that are kept, or fail as told."""

    letters: list[DeadLetter] = field(default_factory=list)
    error: Retry | None = None

    def publish(self, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, Retry]]:
        for letter in letters:
            if self.error:
                yield letter, self.error
            else:
                self.letters.append(letter)


class Table(Items):
    """Items in memory."""

    def __init__(self) -> None:
        self.items: dict[Source, Found] = {}

    def read(self, sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        return {source: self.items.get(source) for source in sources}


class Line:
    """Queue, worker and what stands behind it, with *direct* at the end of the line."""

    def __init__(self, direct: Sink, *models: type[Model]) -> None:
        self.fifo = Fifo()
        self.clock = ManualClock()
        self.parking = Kept()
        self.letters = Letters()
        self.table = Table()
        self.sink = Sender("typesense", Typesense.lanes, URL, {"sqs": self.fifo}.__getitem__)
        fanout = Fanout({"typesense": direct}, self.clock)
        resync = Resync(planner(*models), fanout, self.table, self.clock)
        self.worker = LaneWorker(
            self.sink, direct.effect_s, fanout, resync, settle(self.parking, self.letters)
        )

    def deadline(self, seconds: float = 60.0) -> Deadline:
        return Deadline(seconds, clock=self.clock.monotonic, sleep=self.clock.sleep)

    def send(self, *ops: Op) -> list[Outcome]:
        return list(self.sink.write(ops, self.deadline()))

    def pump(self, *, rounds: int = 1_000) -> None:
        self.fifo.pump(lambda records: self.worker.run(records, self.deadline()), rounds=rounds)


class Queued:
    """The queue's sink, whose worker has done its part when a write ends."""

    name: ClassVar[str] = "typesense"
    effect_s = Sender.effect_s

    def __init__(self, line: Line) -> None:
        self.line = line

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        raise NotImplementedError

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        outcomes = list(self.line.sink.write(ops, deadline))
        self.line.pump()
        assert not self.line.parking.keys
        assert not self.line.letters.letters
        return outcomes
