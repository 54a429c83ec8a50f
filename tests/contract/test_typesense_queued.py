"""Sender and worker of lanes before a Typesense that has its troubles."""

import random

import pytest

from sync.errors import Refused
from sync.sinks.typesense import Typesense
from tests.contract.sinks import Subject
from tests.doubles.lane import Line
from tests.fault_proxy import (
    FaultProxy,
    answer,
    cut_after,
    cut_before,
)

pytestmark = pytest.mark.parametrize("subject", ["typesense"], indirect=True)

FORBIDDEN = b'{"message": "Forbidden - a valid `x-typesense-api-key` header must be sent."}'
NOT_READY = b'{"message": "Not Ready or Lagging"}'


@pytest.fixture
def sink(subject: Subject) -> Typesense:
    assert isinstance(subject.sink, Typesense)
    return subject.sink


@pytest.fixture
def line(sink: Typesense) -> Line:
    return Line(sink)


def test_an_outage_leaves_nothing_in_the_queue_and_nothing_lost(
    subject: Subject, line: Line, proxy: FaultProxy
) -> None:
    """Typesense is down for the whole run: each key is parked, and resynced when it is back."""
    ops = {f"{n}": subject.put(f"{n}", b'{"number":%d}' % n, version=n) for n in range(100)}
    proxy.fail(cut_before, times=None)
    for start in range(0, 100, 10):
        line.send(*list(ops.values())[start : start + 10])
        line.pump(rounds=10)
        assert not line.fifo.waiting
    proxy.heal()
    assert len(line.parking.keys) == 100
    line.clock.now += 600  # past the breaker
    line.send(*ops.values())  # what resync does
    line.pump()
    assert subject.read(list(ops)) == {id_: {"number": int(id_)} for id_ in ops}


def test_a_refused_document_of_the_queue_is_quarantined_alone(subject: Subject, line: Line) -> None:
    """The rest of its lane is written."""
    assert subject.refuses
    line.send(*(subject.put(f"{n}") for n in range(50)), subject.put("bad", subject.refuses))
    line.pump(rounds=5)
    assert not line.fifo.waiting
    assert len(subject.read([f"{n}" for n in range(50)])) == 50
    (letter,) = line.letters.kept
    assert letter.document_id == "bad"
    assert isinstance(letter.error, Refused)
    assert not line.parking.keys


def test_a_wrong_key_parks_and_quarantines_nothing(
    subject: Subject, line: Line, proxy: FaultProxy
) -> None:
    """It is about us, not about a document."""
    proxy.fail(answer(401, FORBIDDEN), times=None)
    line.send(*(subject.put(f"{n}") for n in range(10)), subject.delete("x"))
    line.pump(rounds=5)
    assert not line.fifo.waiting
    assert not line.letters.kept
    assert len(line.parking.keys) == 1  # all ops of these tests speak for one item


def test_churn_by_way_of_the_queue_ends_where_the_table_did(
    subject: Subject, line: Line, proxy: FaultProxy
) -> None:
    """2,000 writes of 50 documents, with answers lost now and then."""
    rng = random.Random(5)
    table: dict[str, int | None] = {}
    for version in range(1, 101):
        batch = {f"{rng.randrange(50)}": rng.choice([None, rng.randrange(99)]) for _ in range(20)}
        table |= batch
        line.send(
            *(
                subject.delete(id_, version=version)
                if state is None
                else subject.put(id_, b'{"number":%d}' % state, version=version)
                for id_, state in batch.items()
            )
        )
        if rng.random() < 0.3:
            proxy.heal()
            proxy.fail(rng.choice([cut_before, cut_after, answer(503, NOT_READY)]), times=1)
        if rng.random() < 0.5:
            line.pump()
    line.pump()
    assert not line.parking.keys
    wanted = {id_: {"number": state} for id_, state in table.items() if state is not None}
    assert subject.read([*table]) == wanted
