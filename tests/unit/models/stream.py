"""The core table's stream before the real dispatcher: counters and default images in an account in
this process, documents in memory, and an application that writes."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from sync.errors import Refused
from sync.model.planner import Planner
from sync.sinks.counters import Counters
from sync.sinks.default_image import DefaultImage
from sync.sinks.memory import Memory
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense
from sync.stream.dispatch import Dispatcher
from sync.writing.fanout import Fanout
from sync.writing.op import Op
from sync.writing.sink import Writer
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import Fault, Tables, no_fault, one_by_one, patient
from tests.doubles.kept import KeptLetters, KeptParking
from tests.doubles.sinks import Answering
from tests.doubles.wiring import settle
from tests.records import Image, stream_record
from tests.unit.models.core import REGISTRY


class Documents(Answering):
    """Keeps no versions, as Typesense doesn't; *refused* says which ops it never takes."""

    name: ClassVar[str] = "typesense"

    def __init__(self) -> None:
        super().__init__(self._answer, versioned=False)
        self.refused: Callable[[Op], bool] = lambda op: False

    def _answer(self, op: Op) -> Refused | None:
        return Refused("Field `name` must be a string.") if self.refused(op) else None


class Stream:
    """*apply* writes an item and makes its record; *deliver* hands records to the dispatcher.

    *typesense* takes the place of documents in memory.
    """

    def __init__(
        self, tables: Tables, fault: Fault = no_fault, *, typesense: Writer | None = None
    ) -> None:
        self.tables = tables
        self.parking = KeptParking()
        self.letters = KeptLetters()
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
        self.dispatcher = Dispatcher(
            Planner(REGISTRY),
            Fanout(sinks, ManualClock(), at_once=one_by_one),
            settle(self.parking, self.letters),
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
