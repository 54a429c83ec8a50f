"""The worker of lanes, with a destination in memory."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from sync.errors import Misconfigured, RecordError, Refused, Unavailable
from sync.lanes import worker as module
from sync.recovery.parking import Parked
from sync.recovery.settle import Ended, Settle, Settlement
from sync.runtime.deadline import Deadline
from sync.sinks.typesense import Typesense
from sync.writing.op import Done, Op, Outcome, Result
from tests.doubles.fifo import Message, records
from tests.doubles.lane import Line
from tests.records import CORE
from tests.unit.lanes.things import Destination, Thing, op, run, source


@pytest.fixture
def destination() -> Destination:
    return Destination()


@pytest.fixture
def line(destination: Destination) -> Line:
    return Line(destination, Thing)


def parked(line: Line) -> list[Parked]:
    assert {sink for sink, _ in line.parking.keys} <= {"typesense"}
    return [key for _, key in line.parking.keys]


def lanes(count: int) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = {}
    for n in range(count):
        found.setdefault(Typesense.lanes.of(op(n, "")), []).append(n)
    return found


@pytest.fixture
def mates() -> tuple[int, int, int]:
    """Three documents of one lane."""
    first, second, third, *_ = next(found for found in lanes(500).values() if len(found) > 3)
    return first, second, third


def test_the_last_action_of_a_document_is_written(line: Line, destination: Destination) -> None:
    """Of all that a batch says of it, once."""
    line.send(op(1, "a"), op(2, "b"))
    line.send(op(1, "c"), op(2, None))
    line.send(op(1, "d"))
    line.pump()
    assert destination.holds() == {"1": {"name": "d"}}
    (ops,) = destination.calls
    assert sorted(op.id for op in ops) == ["1", "2"]


def test_a_document_that_is_refused_is_quarantined_alone(
    line: Line, destination: Destination
) -> None:
    """The letter holds the document and what refused it; its lane goes on."""
    destination.answer = lambda o: Refused("400 no") if o.id == "2" else None
    line.send(*(op(n, "x", version=n) for n in range(100)))
    line.pump(rounds=4)
    assert not line.fifo.waiting
    assert set(destination.holds()) == {str(n) for n in range(100)} - {"2"}
    (letter,) = line.letters.kept
    assert (letter.sink, letter.target, letter.document_id) == ("typesense", "things", "2")
    assert (letter.table, letter.keys) == (CORE, source(2).keys)
    assert letter.raw["document"] == '{"name": "x"}'
    assert not parked(line)


def test_a_document_that_may_pass_later_is_parked_alone(
    line: Line, destination: Destination, mates: tuple[int, int, int]
) -> None:
    """Its lane does not wait: what comes behind it is written, and the queue is empty."""
    first, second, _ = mates
    destination.answer = lambda o: Unavailable("500 no") if o.id == str(first) else None
    line.send(op(first, "x", version=7))
    line.send(op(second, "x"))
    line.pump(rounds=1)
    assert not line.fifo.waiting
    assert set(destination.holds()) == {str(second)}
    assert parked(line) == [Parked(source(first), 7)]


def test_an_outage_parks_every_key_and_leaves_no_message(
    line: Line, destination: Destination
) -> None:
    """And is not tried again at once: later batches are parked without a request."""
    destination.answer = lambda o: Unavailable("no connection")
    for n in range(100):
        line.send(op(n, "x", version=n))
    line.pump(rounds=20)
    assert not line.fifo.waiting
    assert sorted(key.after_version for key in parked(line)) == list(range(100))
    assert len(destination.calls) == 1
    assert not destination.holds()


def test_what_can_t_be_parked_comes_again_with_all_that_follows_it(
    line: Line, destination: Destination, mates: tuple[int, int, int]
) -> None:
    """SQS would deliver what is behind a failed message before it otherwise; other lanes go on."""
    first, second, third = mates
    stranger = next(
        n for n in range(500) if Typesense.lanes.of(op(n, "")) != Typesense.lanes.of(op(first, ""))
    )
    destination.answer = lambda o: Misconfigured("401 no") if o.id == str(second) else None
    line.parking.error = Unavailable("parking: down")
    for n in (first, second, stranger, third):
        line.send(op(n, "x"))
    waiting = line.fifo.waiting
    assert run(line, waiting) == [waiting[1].id, waiting[3].id]
    line.parking.error = None
    line.pump(rounds=2)
    assert not line.fifo.waiting
    assert set(destination.holds()) >= {str(first), str(stranger)}


def test_from_the_first_failed_message_on_all_of_its_lane_come_again(
    line: Line, destination: Destination, mates: tuple[int, int, int]
) -> None:
    """Also what was written between two failures: it comes again behind the first."""
    first, _, third = mates
    destination.answer = lambda o: (
        Misconfigured("401 no") if o.id in (str(first), str(third)) else None
    )
    line.parking.error = Unavailable("parking: down")
    for n in mates:
        line.send(op(n, "x"))
    waiting = line.fifo.waiting
    assert run(line, waiting) == [message.id for message in waiting]


def test_a_failed_message_keeps_its_lane_waiting_no_longer_than_it_has_to(
    destination: Destination,
) -> None:
    """The queue's visibility outlasts the longest run of the worker, and a lane stands so long. But
    what the last attempt sent has to be over."""
    destination.effect_s = 40.0
    line = Line(destination, Thing)
    destination.answer = lambda o: Misconfigured("401 no")
    line.parking.error = Unavailable("parking: down")
    line.send(op(1, "x"))
    (record,) = records(line.fifo.waiting)
    waited = []
    for received in (1, 2, 3, 7, 100):
        record["attributes"]["ApproximateReceiveCount"] = str(received)
        line.worker.run([record], line.deadline())
        waited.append(line.fifo.visible_in[record["receiptHandle"]])
    assert waited == [41, 82, 164, 600, 600]


def test_a_queue_that_can_t_be_told_to_hurry_is_no_failure(
    line: Line, destination: Destination, caplog: pytest.LogCaptureFixture
) -> None:
    """The message comes again all the same, later; and the log says so."""

    def trouble(when: str, _entries: Any) -> Sequence[str]:
        if when == "visibility":
            raise EndpointConnectionError(endpoint_url="sqs")
        return ()

    destination.answer = lambda o: Misconfigured("401 no")
    line.parking.error = Unavailable("parking: down")
    line.send(op(1, "x"))
    line.fifo.trouble = trouble
    assert run(line, line.fifo.waiting) == [line.fifo.waiting[0].id]
    (told,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert told.message == "a lane waits for its queue's visibility timeout"
    assert told.exc_info is not None
    assert str(told.exc_info[1]).startswith("setting the visibility timeout of a message: ")


def test_what_can_t_be_quarantined_comes_again(line: Line, destination: Destination) -> None:
    """Nothing is dropped while the dead-letter topic is down."""
    destination.answer = lambda o: Refused("400 no")
    line.letters.error = Unavailable("publishing: down")
    line.send(op(1, "x"))
    line.pump(rounds=3)
    assert len(line.fifo.waiting) == 1
    line.letters.error = None
    line.pump(rounds=1)
    assert not line.fifo.waiting
    assert len(line.letters.kept) == 1


@pytest.mark.parametrize("body", ["nonsense", '{"schema":2,"actions":[]}'])
def test_behind_a_message_that_can_t_be_read_its_lane_waits(
    line: Line, destination: Destination, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be a newer release's, which will read it; other lanes go on, and the log tells."""
    sent = [
        Message("m1", "a", queue_body(line, op(1, "x"))),
        Message("m2", "a", body),
        Message("m3", "a", queue_body(line, op(3, "x"))),
        Message("m4", "b", queue_body(line, op(4, "x"))),
    ]
    with caplog.at_level(logging.ERROR, "sync"):
        assert run(line, sent) == ["m2", "m3"]
    assert set(destination.holds()) == {"1", "4"}
    assert [(r.message, r.__dict__["id"]) for r in caplog.records] == [("unreadable message", "m2")]


def queue_body(line: Line, what: Op) -> str:
    line.send(what)
    return line.fifo.waiting.pop().body


def test_without_time_everything_is_parked(line: Line) -> None:
    """The real sink hands back what it has no time for; the worker has some left to park it."""

    class Late(Destination):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            assert not deadline.remaining()
            return [Outcome(op, Unavailable("no time is left")) for op in ops]

    late = Line(Late(), Thing)
    late.send(op(1, "x"), op(2, "x"))
    answer = late.worker.run(records(late.fifo.waiting), Deadline(0))
    assert answer == {"batchItemFailures": []}
    assert len(parked(late)) == 2


def test_a_bug_is_raised(line: Line, destination: Destination) -> None:
    """All messages come again then; nothing is called done."""

    def bug(o: Op) -> None:
        raise ZeroDivisionError

    destination.answer = bug
    line.send(op(1, "x"))
    with pytest.raises(ZeroDivisionError):
        run(line, line.fifo.waiting)


def test_an_outage_is_logged_once_a_cause_with_every_key(
    line: Line, destination: Destination, caplog: pytest.LogCaptureFixture
) -> None:
    """And with the trace."""
    destination.answer = lambda o: Unavailable("no connection")
    line.send(*(op(n, "x") for n in range(5)))
    with caplog.at_level(logging.ERROR, "sync"):
        run(line, line.fifo.waiting)
    (record,) = caplog.records
    assert record.exc_info
    assert len(record.__dict__["items"]) == 5


# Planted bugs: what the tests above are worth.


def test_counting_one_bad_line_as_a_failed_batch_blocks_the_lane(
    line: Line, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a refused document fails its whole message; it then never leaves the queue."""
    run = Settle.run

    def planted(self: Settle, ended: Sequence[Ended[Any]]) -> Settlement[Any]:
        settlement = run(self, ended)
        settlement.again += [(one.cause, Unavailable("refused")) for one in ended]
        return settlement

    monkeypatch.setattr(Settle, "run", planted)
    with pytest.raises(AssertionError):
        test_a_document_that_is_refused_is_quarantined_alone(line, destination)


def test_reporting_a_message_without_its_followers_is_caught(
    line: Line,
    destination: Destination,
    mates: tuple[int, int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Planted: SQS would forget the followers, and deliver what came before them again."""
    monkeypatch.setattr(module, "_with_followers", lambda records, failed: sorted(failed))
    with pytest.raises(AssertionError):
        test_what_can_t_be_parked_comes_again_with_all_that_follows_it(line, destination, mates)


def test_taking_a_failure_for_done_is_caught(
    line: Line, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the results of documents are not looked at."""
    write = Destination.write

    def planted(self: Destination, ops: Sequence[Op], deadline: Deadline) -> Iterator[Outcome]:
        for outcome in write(self, ops, deadline):
            yield outcome._replace(result=Done.WRITTEN)

    monkeypatch.setattr(Destination, "write", planted)
    with pytest.raises((AssertionError, ValueError)):
        test_a_document_that_is_refused_is_quarantined_alone(line, destination)


def counted(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """The counts in the last line of the worker."""
    names = "messages", "actions", "written", "stale", "read", "parked", "quarantined", "failed"
    line = [vars(record) for record in caplog.records if record.message == "typesense"][-1]
    return {name: line[name] for name in names if name in line}


def test_the_line_of_a_call_counts_every_end(
    line: Line, destination: Destination, caplog: pytest.LogCaptureFixture
) -> None:
    """Under the name of the sink."""
    caplog.set_level(logging.INFO, "sync")
    ends: dict[str, Result] = {"2": Done.STALE, "3": Refused("no"), "4": Unavailable("503")}
    destination.answer = lambda o: ends.get(o.id)
    large = 6, 7
    for n in large:
        line.table.items[source(n)] = {**source(n).keys, "name": {"S": "now"}}
    line.send(*(op(n, "x") for n in (1, 2, 3, 4, 5, 1)), *(op(n, "x" * 300_000) for n in large))
    waiting = [*line.fifo.waiting, Message("m0", "another", "nonsense")]
    run(line, waiting)
    assert counted(caplog) == {
        "messages": len(waiting),
        "actions": 8,
        "written": 2,
        "stale": 1,
        "read": 2,
        "parked": 2,
        "quarantined": 1,
        "failed": 1,
    }


def test_a_delete_that_is_refused_is_a_letter_without_a_document(
    line: Line, destination: Destination
) -> None:
    """It names the item all the same, and what was written has its bytes there as text."""
    destination.answer = lambda o: Refused("400 no")
    line.send(op(1, None, version=7))
    line.pump(rounds=1)
    (letter,) = line.letters.kept
    assert letter.raw == {"table": CORE, "keys": source(1).keys, "document": None}
    assert letter.version == 7


def test_a_message_that_can_t_be_read_is_named_with_its_lane_and_cause(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever looks for it has the sink, the message's id and the lane that waits."""
    run(line, [Message("m1", "a", "nonsense")])
    (told,) = [record for record in caplog.records if record.message == "unreadable message"]
    assert [vars(told)[name] for name in ("id", "sink", "lane")] == ["m1", "typesense", "a"]
    assert told.exc_info is not None
    assert isinstance(told.exc_info[1], RecordError)
