"""Leaving out writes that change no document, by any history and delivery (requirements S3.3)."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict

from sync.aws.attributes import decode
from sync.aws.keys import Source
from sync.errors import Refused, Retry, Unavailable
from sync.model.change import Change
from sync.model.fields import Text
from sync.model.model import Model, Route
from sync.recovery.parking import Parked
from sync.recovery.resync import Resync
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.stream.dispatch import Dispatcher
from sync.writing.fanout import Fanout
from sync.writing.op import Done, Op, Outcome
from tests.doubles.clocks import ManualClock
from tests.doubles.kept import KeptItems, KeptLetters, KeptParking
from tests.doubles.wiring import planner, settle
from tests.records import CORE, core_keys, stream_record


class Skipping(Memory):
    """Keeps no versions, and need not be told of what stays as it was. *trouble* gives the results
    of the next ops, for those that are not written."""

    name: ClassVar[str] = "skipping"
    skips_equal: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__(versioned=False)
        self.trouble: list[Refused | Retry | None] = []
        self.written = 0

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        for op in ops:
            if trouble := self.trouble.pop(0) if self.trouble else None:
                yield Outcome(op, trouble)
            else:
                self.written += 1
                yield from super().write([op], deadline)


class Thing(Model):
    name: Text


class Open(Model):
    """Its documents have every attribute of the item."""

    model_config = ConfigDict(extra="allow")

    name: Text


for _model in (Thing, Open):
    _model.route = Route(CORE, {"PK": "THING", "SK": ".+"}, {Skipping: "things"})


class World:
    """A table, its stream, the dispatcher, and resync."""

    def __init__(self, model: type[Model] = Thing, *, old_images: bool = True) -> None:
        self.sink = Skipping()
        self._model = model
        self.table = KeptItems()
        self.records: list[Any] = []
        self.clock = ManualClock(1_800_000_100.0)
        self.parking = KeptParking(self.clock)
        self.letters = KeptLetters()
        self._old_images = old_images
        plan = planner(model)
        fanout = Fanout({Skipping.name: self.sink}, self.clock)
        self.dispatcher = Dispatcher(plan, fanout, settle(self.parking, self.letters))
        self.resync = Resync(plan, fanout, self.table, self.clock)

    def apply(self, n: int, name: str | None, other: int) -> None:
        """*other* is an attribute that is no field of the model."""
        keys = core_keys("THING", str(n))
        source = Source(CORE, keys)
        old = self.table.items.get(source)
        new = None if name is None else {"name": {"S": name}, "other": {"N": str(other)}}
        if (new and {**keys, **new}) == old:
            return  # such a write makes no record (DynamoDB guide, Streams)
        self.table.items[source] = None if new is None else {**keys, **new}
        record = stream_record(
            keys,
            new,
            old=old if self._old_images else None,
            event_name=None if new is None or not old else "MODIFY",
            number=len(self.records) + 1,
        )
        self.records.append(record)

    def deliver(self, records: Sequence[Any]) -> None:
        assert self.dispatcher.run(records, self.deadline()) == {"batchItemFailures": []}

    def recover(self) -> None:
        """Resync what is parked, and replay what was quarantined."""
        self.clock.now += 1_000
        told = [key.source for _, key in self.parking.keys]
        told += [Source(CORE, letter.keys or {}) for letter in self.letters.kept]
        self.bring_in_line(told)

    def bring_in_line(self, sources: Iterable[Source]) -> None:
        for settled in self.resync.run([Parked(each) for each in sources], self.deadline()):
            assert settled.verdict is Done.WRITTEN

    def deadline(self) -> Deadline:
        return Deadline(30, clock=self.clock.monotonic, sleep=self.clock.sleep)

    def is_right(self) -> bool:
        """Whether the sink holds what writing every state would have left."""
        names = ["name", "other", "PK", "SK"] if self._model is Open else ["name"]
        wanted = {
            f"THING|{source.keys['SK']['S']}": {name: decode(item)[name] for name in names}
            for source, item in self.table.items.items()
            if item is not None
        }
        held = {id_: json.loads(body) for (_, id_), body in self.sink.documents.items()}
        return held == wanted


WRITES = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["a", "a", "b", None]), st.integers(0, 2)),
    max_size=25,
)
TROUBLE = st.lists(st.sampled_from([None, None, Refused("400"), Unavailable("503")]), max_size=12)


@pytest.mark.parametrize("model", [Thing, Open])
@given(WRITES, st.booleans(), st.data())
def test_any_history_ends_as_if_all_were_written(
    model: type[Model],
    writes: list[tuple[int, str | None, int]],
    old_images: bool,
    data: st.DataObject,
) -> None:
    """In batches of any size; what was delivered may come again from any point, as by Lambda's
    rules all that follows it does; what fails is resynced or replayed in the end."""
    world = World(model, old_images=old_images)
    for write in writes:
        world.apply(*write)
    world.sink.trouble = list(data.draw(TROUBLE))
    at = 0
    turns = 0
    while at < len(world.records):
        size = data.draw(st.integers(1, 6))
        world.deliver(world.records[at : at + size])
        at += size
        turns += 1
        if turns < 8 and data.draw(st.booleans()):
            at = data.draw(st.integers(0, min(at, len(world.records))))
    world.sink.trouble = []
    world.recover()
    assert world.is_right()


@pytest.mark.parametrize("trouble", [Refused("400"), Unavailable("503")], ids=["refused", "parked"])
def test_a_write_that_failed_is_not_taken_for_written(trouble: Refused | Retry) -> None:
    """What follows it leaves the document as it should have been, and is skipped; but the key is
    told of, and a resync never skips."""
    world = World()
    world.apply(1, "a", 0)
    world.sink.trouble = [trouble]
    world.deliver(world.records)
    world.apply(1, "a", 1)
    world.deliver(world.records[1:])
    assert world.sink.written == 0
    assert len(world.letters.kept) + len(world.parking.keys) == 1
    world.recover()
    assert world.is_right()


def test_a_resync_never_skips() -> None:
    """Whatever the sink should hold, it may not."""
    world = World()
    world.apply(1, "a", 0)
    world.deliver(world.records)
    world.sink.documents.clear()
    world.apply(1, "a", 1)
    world.deliver(world.records[1:])
    assert not world.is_right()  # the stream does
    world.bring_in_line(world.table.items)
    assert world.is_right()


def test_comparing_with_less_than_the_document_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: an item that exists stays as it was."""
    monkeypatch.setattr(
        Change, "unchanged", property(lambda c: bool(c._old_image and c._new_image))
    )
    world = World()
    for name in ("a", "b"):
        world.apply(1, name, 0)
        world.deliver(world.records[-1:])
    assert not world.is_right()
