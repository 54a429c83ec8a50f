"""Verify and repair, with real servers behind the sinks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from sync.aws.items import Items
from sync.errors import Misconfigured
from sync.model import Model, Number, Text, route
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.recovery.parking import Parked
from sync.recovery.resync import Resync
from sync.sinks.memory import Memory
from sync.verify.verify import Verify
from sync.writing.comparing import Comparable
from sync.writing.fanout import Fanout
from sync.writing.op import Done
from tests.contract.sinks import Subject, patient
from tests.doubles.account import client
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import one_by_one
from tests.doubles.in_process import mock_aws
from tests.unit.verify.things import kinds

LONG = "1234567890123456789012345678901234567.8"


@dataclass
class World:
    """A table, whose documents the subject holds."""

    subject: Subject
    verify: Verify
    resync: Resync

    def put(self, key: str, number: str = "1") -> None:
        client("dynamodb").put_item(
            TableName="things", Item={"text": {"S": key}, "number": {"N": number}}
        )

    def found(self, limit: int = 1_000) -> dict[str, str]:
        sink, target = Memory.name, self.subject.target
        pages = [self.verify.items("things", None, limit, patient())]
        pages.append(self.verify.documents(sink, target, None, limit, patient()))
        self.last = [each.source for page in pages for each in page.differences]
        return kinds(*pages)

    def repair(self) -> None:
        keys = [Parked(source) for source in dict.fromkeys(self.last) if source]
        verdicts = [settled.verdict for settled in self.resync.run(keys, patient())]
        assert verdicts == [Done.WRITTEN] * len(keys)


@pytest.fixture
def world(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    @route("things", text=r".+", into={Memory: subject.target})
    class Thing(Model):
        text: Text
        number: Number | None = None

    with mock_aws():
        client("dynamodb").create_table(
            TableName="things",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "text", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "text", "KeyType": "HASH"}],
        )
        assert isinstance(subject.sink, Comparable)
        registry = Registry([Thing], {"things": "things"})
        items = Items(client)
        clock = ManualClock()
        fanout = Fanout({Memory.name: subject.sink}, clock, at_once=one_by_one)
        yield World(
            subject,
            Verify(registry, {Memory.name: subject.sink}, items, client),
            Resync(Planner(registry), fanout, items, clock),
        )


readable = pytest.mark.parametrize("subject", ["memory", "opensearch", "typesense"], indirect=True)


def body(text: str, number: str) -> bytes:
    return b'{"text":%b,"number":%b}' % (json.dumps(text).encode(), number.encode())


@readable
def test_damage_is_found_and_repaired(world: World) -> None:
    """Deleted, foreign, changed in digit 38: all told, and after a repair none is left."""
    for key, number in (("same", "1"), ("lost", "2"), ("long", LONG), ("a b|ü", "4")):
        world.put(key, number)
    write, put = world.subject.write, world.subject.put
    write(put("same", body("same", "1.0")), put("a%20b%7C%C3%BC", body("a b|ü", "4")))
    write(put("long", body("long", LONG[:-1] + "9")), put("foreign", b'{"text":"x"}'))
    expected = {"lost": "missing", "long": "different", "foreign": "extra"}
    assert world.found() == expected
    world.repair()
    assert world.found() == {}
    assert world.subject.holds("foreign") is None


@readable
def test_a_table_without_items_leaves_only_extra_documents(world: World) -> None:
    """Each of them is found, and a repair empties the sink."""
    ids = [f"{n}" for n in range(12)]
    world.subject.write(*(world.subject.put(id_) for id_ in ids))
    assert world.found() == dict.fromkeys(ids, "extra")
    world.repair()
    assert world.found() == {}


@readable
def test_samples_of_a_real_sink_are_judged_alike(world: World) -> None:
    """From both sides."""
    world.put("lost")
    world.subject.write(world.subject.put("foreign"))
    world.found()  # a search finds what was there before
    there = world.verify.sample_items("things", 5, patient())
    back = world.verify.sample_documents(Memory.name, world.subject.target, 5, patient())
    assert kinds(there, back) == {"lost": "missing", "foreign": "extra"}


@pytest.mark.parametrize("subject", ["opensearch", "typesense"], indirect=True)
def test_a_missing_alias_is_told_with_its_name(world: World) -> None:
    """Not a thousand missing documents."""
    world.put("a")
    world.subject = replace(world.subject, target="nowhere")
    found = world.verify.documents(Memory.name, "nowhere", None, 1, patient())
    error = found.unread[Memory.name]
    assert isinstance(error, Misconfigured)
    assert "nowhere" in str(error)
    assert found.differences == []
