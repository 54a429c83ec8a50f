"""Documents that are too large for a message: the worker reads their items instead."""

from dataclasses import replace

import pytest

from sync.errors import Unavailable
from sync.model.fields import Text
from sync.model.model import Model, Route
from sync.recovery.parking import Parked
from sync.sinks.memory import Memory
from sync.sinks.typesense import Typesense
from tests.doubles.lane import Line
from tests.records import CORE
from tests.unit.lanes.things import Destination, Thing, op, run, source

LARGE = "x" * 300_000


@pytest.fixture
def destination() -> Destination:
    return Destination()


@pytest.fixture
def line(destination: Destination) -> Line:
    return Line(destination, Thing)


def put(line: Line, n: int) -> None:
    line.table.items[source(n)] = {**source(n).keys, "name": {"S": "now"}}


class Doubled(Model):
    """What goes to a second sink too."""

    name: Text


Doubled.route = Route(CORE, {"PK": "THING", "SK": ".+"}, {Typesense: "things", Memory: "others"})


def test_a_document_too_large_for_a_message_comes_from_its_item(
    line: Line, destination: Destination
) -> None:
    """As it is by then; if it is gone, so is the document."""
    put(line, 1)
    line.send(op(1, LARGE), op(2, LARGE), op(3, "z"))
    destination.documents["things", "THING|2"] = b"{}"
    line.pump()
    held = destination.holds()
    assert held["THING|1"] == {"name": "now"}
    assert "THING|2" not in held
    assert held["3"] == {"name": "z"}


def test_an_item_too_large_and_refused_is_quarantined(line: Line) -> None:
    """Here because its model does not fit it."""
    line.table.items[source(1)] = {**source(1).keys, "name": {"N": "1"}}
    line.send(op(1, LARGE))
    line.pump(rounds=1)
    assert not line.fifo.waiting
    (letter,) = line.letters.kept
    assert letter.sink == "typesense"
    assert letter.keys == source(1).keys


def test_an_item_that_can_t_be_read_is_parked(line: Line) -> None:
    """Past the version of the write that asked for it."""
    line.table.items[source(1)] = Unavailable("dynamodb: down")
    line.send(op(1, LARGE, version=5))
    line.pump(rounds=1)
    assert not line.fifo.waiting
    assert line.parking.keys == [("typesense", Parked(source(1), 5))]


def test_an_item_that_can_t_be_written_is_parked_above_its_resync(
    line: Line, destination: Destination
) -> None:
    """What the worker sent may take effect late, as what the stream sent may."""
    put(line, 1)
    destination.answer = lambda _: Unavailable("503")
    line.send(op(1, LARGE, version=5))
    line.pump(rounds=1)
    assert line.parking.keys == [("typesense", Parked(source(1), line.clock.time_ns()))]


@pytest.mark.parametrize("versions", [(5, 9), (9, 5)])
@pytest.mark.parametrize("ages", [(4, None), (None, 4), (3, 4), (4, 3)])
def test_an_item_of_two_documents_is_parked_above_both_writes(
    line: Line, versions: tuple[int, int], ages: tuple[int | None, int | None]
) -> None:
    """And as the older of them; it is read once for both, whichever lane's message came first."""
    line.table.items[source(1)] = Unavailable("dynamodb: down")
    for version, age_s in zip(versions, ages, strict=True):
        since_s = None if age_s is None else line.clock.now - age_s
        one = op(1, LARGE, version=version)
        line.send(replace(one, id=f"document of {version}", since_s=since_s))
    assert run(line, line.fifo.waiting) == []
    assert line.parking.keys == [("typesense", Parked(source(1), 9, line.clock.now - 4))]


def test_a_message_comes_again_if_its_item_can_t_be_parked(
    line: Line, destination: Destination
) -> None:
    """Others are done."""
    put(line, 1)
    destination.answer = lambda o: Unavailable("503") if o.id == "THING|1" else None
    line.parking.error = Unavailable("parking: down")
    line.send(op(0, "x"))
    line.send(op(1, LARGE))
    line.send(op(2, "x"))
    _, large, _ = line.fifo.waiting
    assert run(line, line.fifo.waiting) == [large.id]


def test_an_item_is_written_to_the_sink_of_the_lane_alone(destination: Destination) -> None:
    """The model's other sinks have it from the stream."""
    line = Line(destination, Doubled)
    put(line, 1)
    line.send(op(1, LARGE))
    line.pump()
    assert destination.holds() == {"THING|1": {"name": "now"}}


def test_a_later_small_action_takes_the_place_of_a_large_one(
    line: Line, destination: Destination
) -> None:
    """And the other way round."""
    line.send(op(1, LARGE))
    line.send(op(1, "small"))
    line.pump()
    assert destination.holds() == {"1": {"name": "small"}}
