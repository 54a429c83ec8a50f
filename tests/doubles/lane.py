"""A sink behind lanes: sender, queue and worker, and what stands behind them, in memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from sync.lanes.sender import Sender
from sync.lanes.worker import LaneWorker
from sync.model.model import Model
from sync.recovery.resync import Resync
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.writing.fanout import Fanout
from sync.writing.op import Op, Outcome
from sync.writing.sink import Sink
from tests.doubles.clocks import ManualClock
from tests.doubles.fifo import URL, Fifo
from tests.doubles.kept import KeptItems, KeptLetters, KeptParking
from tests.doubles.wiring import planner, settle


class Line:
    """From the sender to *sink*, which the worker writes to."""

    def __init__(self, sink: Sink, *models: type[Model]) -> None:
        self.fifo = Fifo()
        self.clock = ManualClock()
        self.parking = KeptParking(self.clock)
        self.letters = KeptLetters()
        self.table = KeptItems()
        self.sender = Sender("typesense", Typesense.lanes, URL, {"sqs": self.fifo}.__getitem__)
        fanout = Fanout({"typesense": sink}, self.clock)
        resync = Resync(planner(*models), fanout, self.table, self.clock)
        self.worker = LaneWorker(
            self.sender, sink.effect_s, fanout, resync, settle(self.parking, self.letters)
        )

    def deadline(self, seconds: float = 60.0) -> Deadline:
        return Deadline(seconds, clock=self.clock.monotonic, sleep=self.clock.sleep)

    def send(self, *ops: Op) -> list[Outcome]:
        return list(self.sender.write(ops, self.deadline()))

    def pump(self, *, rounds: int = 1_000) -> None:
        self.fifo.pump(lambda records: self.worker.run(records, self.deadline()), rounds=rounds)


class Queued:
    """The sender of *line*, whose worker has done its part when a write ends."""

    name: ClassVar[str] = "typesense"
    effect_s = Sender.effect_s

    def __init__(self, line: Line) -> None:
        self.line = line

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        raise NotImplementedError

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        outcomes = list(self.line.sender.write(ops, deadline))
        self.line.pump()
        assert not self.line.parking.keys
        assert not self.line.letters.kept
        return outcomes
