"""Tables and a sink to be compared, in this process."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

from sync.aws.items import Found, Items
from sync.aws.keys import AttributeMap, Source
from sync.model import Change, Model, Number, Op, Text, route
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.verify.findings import Page
from sync.verify.verify import Verify
from sync.writing.comparing import Compared, Walk
from sync.writing.ids import document_id
from tests.doubles.account import client
from tests.doubles.clocks import ManualClock
from tests.doubles.in_process import mock_aws


@route("things", id=r".+", into={Memory: "things"})
class Thing(Model):
    """Its key is a text."""

    id: Text
    size: Number | None = None


@route("events", source=r".+", at=r"\d+", into={Memory: "events"})
class Event(Model):
    """Its key is a text and a number."""

    source: Text
    at: Number


@route("own", id=r"\w+", into={Memory: "own"})
class Own(Model):
    """Has a plan of its own: a document under its keys, and another under an id it makes."""

    id: Text
    hidden: bool = False

    @classmethod
    def plan(cls, change: Change[Self]) -> Iterator[Op]:
        """Both, unless the item is hidden; and nothing for one that is a bug."""
        if change.id == "bug":
            raise ValueError
        for id_ in (change.id, f"own:{change.id}"):
            if change.new and not change.new.hidden:
                yield change.put(Memory, "own", change.new.document(), document_id=id_)
            else:
                yield change.delete(Memory, "own", document_id=id_)


class Other(Memory):
    """Another sink."""

    name = "other"


@route("both", id=r".+", into={Memory: "both", Other: "both"})
class Both(Model):
    """Is in two sinks."""

    id: Text


TYPES = {
    "both": {"id": "S"},
    "things": {"id": "S"},
    "events": {"source": "S", "at": "N"},
    "own": {"id": "S"},
}


class Timed(Memory):
    """A sink that has to be told how long it may take."""

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        assert isinstance(deadline, Deadline)
        return super().compare(ops, deadline)

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        assert isinstance(deadline, Deadline)
        return super().ids(target, start, deadline)

    def sample(self, target: str, count: int, deadline: Deadline) -> Sequence[str]:
        assert isinstance(deadline, Deadline)
        return super().sample(target, count, deadline)


class TimedItems(Items):
    """Reads that have to be told how long they may take."""

    def read(self, sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        assert isinstance(deadline, Deadline)
        return super().read(sources, deadline)


class Stage:
    """Tables, two sinks, and what compares them. *during* is called in each pause.

    Nothing is written to the *other* sink by itself.
    """

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sink = Timed()
        self.other = Other()
        self.registry = Registry([Thing, Event, Own, Both], {name: name for name in TYPES})
        self.dynamodb = client("dynamodb")
        for name, types in TYPES.items():
            self.dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": key, "AttributeType": tag} for key, tag in types.items()
                ],
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(types, ("HASH", "RANGE"), strict=False)
                ],
            )
        self.verify = self.made()
        self.during: Callable[[], object] = lambda: None

    def made(self, instead: Mapping[tuple[str, str], str] | None = None) -> Verify:
        """What compares them, with the targets *instead*."""
        sinks = {"memory": self.sink, "other": self.other}
        return Verify(self.registry, sinks, TimedItems(client), client, instead)

    def deadline(self, seconds: float = 300) -> Deadline:
        def sleep(seconds: float) -> None:
            self.clock.sleep(seconds)
            self.during()

        return Deadline(seconds, clock=self.clock.monotonic, sleep=sleep)

    def put(self, table: str, *, sync: bool = True, **attributes: Mapping[str, Any]) -> str:
        """The document's id; *sync*: the sink has it, too."""
        item = {name: dict(value) for name, value in attributes.items()}
        self.dynamodb.put_item(TableName=table, Item=item)
        if sync:
            self.arrive(table, item)
        return self.id_of(table, item)

    def thing(self, id_: str, size: int = 1, *, sync: bool = True) -> str:
        return self.put("things", id={"S": id_}, size={"N": str(size)}, sync=sync)

    def remove(self, table: str, **keys: Mapping[str, Any]) -> None:
        self.dynamodb.delete_item(TableName=table, Key=keys)

    def arrive(self, table: str, item: AttributeMap, *, gone: bool = False) -> None:
        """What the stream would do of a change of *item*."""
        source = Source(table, {name: item[name] for name in TYPES[table]})
        planner = Planner(self.registry)
        pattern = planner.match(source)
        assert pattern
        version = self.clock.time_ns()
        ops = planner.plan(pattern, source, version, new_image=None if gone else item).ops
        ops = [op for op in ops if op.sink == "memory"]
        assert len(list(self.sink.write(ops, self.deadline()))) == len(ops)

    def id_of(self, table: str, item: AttributeMap) -> str:
        return document_id(item, list(TYPES[table]))

    def hold(self, target: str, id_: str, **body: Any) -> None:
        """A hand from outside."""
        self.sink.documents[target, id_] = json.dumps(body).encode()

    def lose(self, target: str, id_: str) -> None:
        del self.sink.documents[target, id_]

    def whole(self, table: str) -> list[Page]:
        """All of *table*, both ways."""
        return [
            self.verify.items(table, None, 10_000, self.deadline()),
            self.verify.documents("memory", table, None, 10_000, self.deadline()),
        ]

    def found(self, table: str) -> dict[str, str]:
        """The kind of each difference, by id."""
        return kinds(*self.whole(table))


def kinds(*pages: Page) -> dict[str, str]:
    found = [each for page in pages for each in page.differences]
    by_id: dict[str, str] = {each.address[2]: each.differs.kind for each in found}
    assert len(by_id) == len(found)  # none is told twice
    return by_id


@contextmanager
def a_stage() -> Iterator[Stage]:
    with mock_aws():
        yield Stage()
