"""The core table's stream before the real dispatcher: counters and default images in an account in
this process, documents in memory, and an application that writes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from sync.errors import Refused, Retry
from sync.model.planner import Planner
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import Parked
from sync.runtime.deadline import Deadline
from sync.sinks.counters import Counters
from sync.sinks.default_image import DefaultImage
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense
from sync.stream.dispatch import Dispatcher
from sync.writing.fanout import Fanout
from sync.writing.op import Op, Outcome
from sync.writing.sink import Writer
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import Fault, Tables, no_fault, one_by_one, patient
from tests.doubles.wiring import settle
from tests.records import Image, stream_record
from tests.unit.models.core import REGISTRY


class Documents(Memory):
    """Keeps no versions, as Typesense doesn't; *refused* says which ops it never takes."""

    name: ClassVar[str] = "typesense"

    def __init__(self) -> None:
        super().__init__(versioned=False)
        self.refused: Callable[[Op], bool] = lambda op: False
        self.writes: list[Sequence[Op]] = []

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        self.writes.append(ops)
        for op in ops:
            if self.refused(op):
                yield Outcome(op, Refused("Field `name` must be a string."))
            else:
                yield from super().write([op], deadline)


class Kept:
    """Parked keys and dead letters."""

    def __init__(self) -> None:
        self.parked: list[tuple[str, Parked]] = []
        self.letters: list[DeadLetter] = []

    def park(self, sink: str, keys: Sequence[Parked]) -> Iterator[tuple[Parked, Retry]]:
        self.parked += [(sink, key) for key in keys]
        yield from ()

    def publish(self, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, Retry]]:
        self.letters += letters
        yield from ()


class Stream:
    """*apply* writes an item and makes its record; *deliver* hands records to the dispatcher.

    *typesense* takes the place of documents in memory.
    """

    def __init__(
        self, tables: Tables, fault: Fault = no_fault, *, typesense: Writer | None = None
    ) -> None:
        self.tables = tables
        self.kept = Kept()
        self.documents = Documents()
        self.search = Memory()
        self.counters, self.counting = tables.counters(fault)
        self.images, self.looking = tables.images(fault)
        self.items: dict[str, tuple[Image, Image]] = {}  # by keys: these, and the attributes
        sinks: Mapping[str, Writer] = {
            OpenSearch.name: self.search,
            Typesense.name: typesense or self.documents,
            Counters.name: self.counters,
            DefaultImage.name: self.images,
        }
        kept: Any = self.kept  # all that is asked of parking, and of dead letters
        self.dispatcher = Dispatcher(
            Planner(REGISTRY),
            Fanout(sinks, ManualClock(), at_once=one_by_one),
            settle(kept, kept),
        )
        self._number = 0

    def apply(self, keys: Image, new: Image | None) -> Any:
        """What the application writes, and the record of it."""
        self._number += 1
        _, old = self.items.pop(str(keys), (None, None))
        if new is not None:
            self.items[str(keys)] = keys, new
            self.tables.client.put_item(TableName=self.tables.core, Item={**keys, **new})
        else:
            self.tables.delete(keys)
        return stream_record(keys, new, old=old, number=self._number)

    def deliver(self, *records: Any) -> list[str]:
        """What is to come again."""
        answer = self.dispatcher.run(records, patient())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
