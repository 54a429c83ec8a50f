"""The models of the core table before a Typesense with their collections, by way of the queue."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typesense import Client

from local.servers.typesense import TypesenseServer
from sync import models
from sync.errors import Refused
from sync.model.mappings import generate
from sync.model.planner import Planner
from sync.recovery.parking import Parked
from sync.recovery.resync import Resync
from sync.sinks.default_image import Entity
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.client import Connection
from sync.stream.record import read_record
from sync.writing.fanout import Fanout
from sync.writing.op import Done
from tests.contract.typesense_sinks import held, settings_of
from tests.doubles.derived import counted, in_process
from tests.doubles.lane import Line
from tests.records import Image, core_keys
from tests.unit.models.core import OF_SYSTEM, REGISTRY, image, link_keys, texts
from tests.unit.models.stream import Stream

COLLECTIONS = ("aircraft_images", "icao_aircraft", "icao_manufacturers", "registry")


class Whole:
    """The core table's stream, and behind it the queue, its worker and Typesense."""

    def __init__(self, stream: Stream, line: Line, server: TypesenseServer) -> None:
        self.stream = stream
        self.line = line
        self.server = server
        self.key = server.api_key  # as the service has it

    def deliver(self, *records: Any) -> None:
        """To the end of the line; nothing comes again, and the queue is left empty."""
        for record in records:
            found = read_record(record)
            self.line.table.items[found.source] = found.new_image
        assert self.stream.deliver(*records) == []
        self.line.pump(rounds=200)
        assert not self.line.fifo.waiting
        assert not self.stream.parking.keys
        assert not self.stream.letters.kept

    def bring_in_line(self) -> None:
        """What the resync worker does with parked keys, and then the queue's worker."""
        self.line.clock.now += 600  # past breakers
        keys = [Parked(key.source) for _, key in self.line.parking.keys]
        self.line.parking.messages.clear()
        fanout = Fanout({"typesense": self.line.sender}, self.line.clock)
        resync = Resync(Planner(REGISTRY), fanout, self.line.table, self.line.clock)
        settled = list(resync.run(keys, self.line.deadline(), only="typesense"))
        assert {one.verdict for one in settled} == {Done.WRITTEN}
        self.line.pump()

    def break_off(self, trouble: str) -> None:
        if trouble == "down":
            self.server.stop(grace_s=0)
        else:
            self.key = "wrong"

    def mend(self) -> None:
        self.server.start()
        self.key = self.server.api_key


@pytest.fixture
def whole(typesense: TypesenseServer) -> Iterator[Whole]:
    made: list[Connection] = []

    def connect() -> Connection:
        made.append(Connection(settings_of(typesense.url), line_up.key))
        return made[-1]

    with in_process() as tables:
        line = Line(Typesense(connect), *models.load())
        line_up = Whole(Stream(tables, typesense=line.sender), line, typesense)
        schemas = generate(models.load())
        for target in COLLECTIONS:
            Typesense(connect).prepare(target, json.loads(schemas[f"typesense/{target}.json"]))
        yield line_up
        for connection in made:
            connection.close()


def manufacturer(n: int, count: str) -> tuple[Image, Image]:
    keys = core_keys("ICAO#MANUFACTURERS", f"MFR#M{n}")
    return keys, {**texts(name=f"M{n}"), "type_count": {"N": count}}


def everything(whole: Whole, step: int) -> list[Any]:
    """Records of every kind; each *step* changes all items."""
    apply = whole.stream.apply
    records = []
    for n in range(20):
        registration = texts(registration=f"N{n}", n_number=f"{n}", name=f"{step}")
        records.append(apply(core_keys("AIRCRAFT#REGISTRY#FAA", f"DETAIL#N{n}"), registration))
        records.append(apply(*manufacturer(n, f"{n + step}")))
        records.append(apply(link_keys(n), texts(**counted(n % 3 + step).parts)))
        keys = core_keys(OF_SYSTEM, f"IMG#{n:02}")
        records.append(apply(keys, image(OF_SYSTEM, caption={"S": f"{step}"})))
    return records


def documents(client: Client) -> list[Any]:
    return sorted(str(d) for target in COLLECTIONS for d in held(client, target).values())


@pytest.mark.parametrize("trouble", ["down", "a wrong API key"])
def test_trouble_for_the_whole_run_loses_nothing_and_holds_up_nobody(
    whole: Whole, client: Client, trouble: str
) -> None:
    """Counters and default images are right throughout; then every document is."""
    whole.break_off(trouble)
    for step in range(3):
        whole.deliver(*everything(whole, step))
        links = {counted(k + step): len(range(k, 20, 3)) for k in range(3)}
        assert whole.stream.tables.held() == links
        pointer, lookup = whole.stream.tables.image(Entity("SYSTEM", "REGISTRATION", "N1"))
        assert pointer == lookup == "IMG#19"
    assert not whole.line.letters.kept  # it is about us, not about documents
    assert len({key.source for _, key in whole.line.parking.keys}) == 60
    whole.mend()
    assert documents(client) == []
    whole.bring_in_line()
    there = documents(client)
    assert len(there) == 60
    names = held(client, "registry").values()
    assert {(d["registration"], d["name"]) for d in names} == {(f"N{n}", "2") for n in range(20)}
    assert not whole.line.parking.keys


def test_a_field_that_typesense_refuses_costs_its_own_document(
    whole: Whole, client: Client
) -> None:
    """Here a number that the model takes, and no 64 bits hold; OpenSearch has it."""
    apply = whole.stream.apply
    huge = "9" * 30
    records = [apply(*manufacturer(n, huge if n == 3 else f"{n}")) for n in range(20)]
    whole.deliver(*records, apply(link_keys(1), texts(**counted(1).parts)))
    (letter,) = whole.line.letters.kept
    assert (letter.sink, letter.target) == ("typesense", "icao_manufacturers")
    assert letter.keys == records[3]["dynamodb"]["Keys"]
    assert isinstance(letter.error, Refused)
    assert "type_count" in str(letter.error)
    assert len(held(client, "icao_manufacturers")) == 19
    assert not whole.line.parking.keys
    assert len(whole.stream.search.documents) == 20
    assert whole.stream.tables.held() == {counted(1): 1}


def test_equal_documents_leave_the_queue_alone(whole: Whole, client: Client) -> None:
    """Nothing is sent for them."""
    apply = whole.stream.apply
    whole.deliver(*(apply(*manufacturer(n, "1")) for n in range(5)))
    calls = len(whole.line.fifo.calls)
    changed = [(keys, {**new, "seen": {"S": "x"}}) for keys, new in
               (manufacturer(n, "1") for n in range(5))]  # fmt: skip
    whole.deliver(*(apply(*each) for each in changed))
    assert len(whole.line.fifo.calls) == calls
    assert len(held(client, "icao_manufacturers")) == 5
