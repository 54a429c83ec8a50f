"""Whatever call a worker dies at, and however often a message comes, a run ends, and is right."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from sync.errors import Throttled, Unavailable
from sync.sinks.memory import Memory
from tests.records import PRODUCTS
from tests.unit.runs.harness import Crash, Line

IDS = [f"p{n}" for n in range(9)]
CALLS = 30  # about as many as a run of two segments makes


def at(number: int, what: BaseException) -> Callable[..., None]:
    """Raises *what* at call *number* of those that workers make."""
    calls = count()

    def befall(*_: Any) -> None:
        if next(calls) == number:
            raise what

    return befall


def is_right(line: Line, id_: str) -> bool:
    line.rest()
    assert line.sink() == line.table()
    return line.run(id_).status == "done" and all(each.done for each in line.segments(id_))


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_worker_may_die_at_any_call(line: Line, place: str) -> None:
    """Before the call, or after it without having heard of its effect. Each page counts once."""
    for number in range(CALLS):
        line.put(*IDS)
        line.account.memory.documents.clear()
        id_ = line.start(segments=2)
        setattr(line, place, at(number, Crash()))
        assert is_right(line, id_)
        assert line.counts(id_)["read"] == len(IDS)
    assert line.died > 20


@pytest.mark.parametrize("error", [Throttled("rate"), Unavailable("no answer")])
def test_any_call_may_fail(line: Line, error: Exception) -> None:
    """It is the client that raises; the worker goes on later. All is read once."""
    for number in range(CALLS):
        line.put(*IDS)
        line.account.memory.documents.clear()
        id_ = line.start(segments=2)
        line.after = at(number, error)
        assert is_right(line, id_)
        assert line.counts(id_)["read"] == len(IDS)


def test_each_message_may_come_twice(line: Line) -> None:
    """At once, or when the next one has been handled."""
    line.put(*IDS)
    id_ = line.start(segments=2)
    seen = []
    while line.messages:
        first = min(line.messages, key=lambda each: each.visible_at)
        seen.append(first)
        line.clock.now = max(line.clock.now, first.visible_at)
        line.deliver(first)
        for message in seen:
            assert line.deliver(message)
    assert is_right(line, id_)
    assert line.counts(id_) == {"read": len(IDS), "written": len(IDS)}


def test_a_message_of_a_segment_that_is_worked_on_leaves_it_alone(line: Line) -> None:
    """A copy of the very message stays in the queue: to delete it is to delete both. Another
    message of the same hop is deleted."""
    line.put(*IDS)
    id_ = line.start(segments=1)
    (own,) = line.messages
    other = type(own)("other", own.body, own.visible_at)
    answers: list[bool] = []

    def again(_service: str, method: str, _given: Any) -> None:
        if method == "scan" and not answers:
            answers.append(False)
            answers[:] = [line.deliver(own), line.deliver(other)]

    line.before = again
    assert line.deliver(own)
    assert answers == [False, True]
    assert is_right(line, id_)
    assert line.counts(id_)["read"] == len(IDS)


def test_a_claim_lasts_until_its_worker_and_what_it_sent_are_over(line: Line) -> None:
    """The time that is left, 10 s for the end of the invocation, and a parked key's delay. The
    same page is then done again."""
    line.put(*IDS)
    id_ = line.start(segments=1)
    line.before = at(6, Crash())
    began_s = line.clock.now
    line.step()
    line.before = lambda *_: None
    (segment,) = line.segments(id_)
    assert segment.begun
    assert began_s + 290 + 10 + 40 <= segment.held_until <= line.clock.now + 341
    (message,) = line.messages
    assert segment.holder == message.id
    line.clock.now = segment.held_until - 1
    assert not line.deliver(message)
    line.clock.now = segment.held_until
    assert line.deliver(message)
    assert is_right(line, id_)


def died_at_the_second_reading(line: Line) -> str:
    """The id of a run: its worker wrote a page to a sink without versions, and did not verify."""
    line.account.memory = Memory(versioned=False)
    line.account.service = line.account.fresh()
    line.put(*IDS)
    id_ = line.start(segments=1)
    scans = count()

    def die(_service: str, method: str, _given: Any) -> None:
        if method == "scan" and next(scans) == 1:
            raise Crash

    line.before = die
    line.step()
    line.before = lambda *_: None
    return id_


def test_what_a_dead_worker_wrote_is_mended(line: Line) -> None:
    """It dies after it wrote, before it verified; the item had changed before the write, and the
    stream's write was overwritten."""
    id_ = died_at_the_second_reading(line)
    line.put(*IDS, name="Teapot")
    assert set(line.sink().values()) == {"Kettle"}
    assert is_right(line, id_)


def test_what_a_dead_worker_wrote_of_an_item_that_is_gone_is_deleted(line: Line) -> None:
    """The item is in no scan any more: its key was noted before it was written."""
    id_ = died_at_the_second_reading(line)
    written = line.sink()
    for each in written:
        line.account.dynamodb.delete_item(TableName=PRODUCTS, Key={"productId": {"S": each}})
    assert written
    assert is_right(line, id_)
    assert not line.sink().keys() & written.keys()
    assert line.counts(id_) == {"read": 9 - len(written), "written": 9 - len(written)}


def test_the_keys_of_a_page_fit_into_its_row(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page with keys that are too long has fewer items."""
    monkeypatch.setattr("sync.runs.backfill._MOST_BYTES", 60)
    monkeypatch.setattr("sync.runs.backfill._FEW_ITEMS", 1)
    line.put(*IDS)
    id_ = line.start(segments=1)
    pages: list[int] = []

    def note(_service: str, method: str, given: Any) -> None:
        if method == "scan":
            pages.append(given["Limit"])

    line.before = note
    assert is_right(line, id_)
    assert set(pages) == {1_000, 1}
    assert line.counts(id_)["read"] == len(IDS)


def test_a_message_that_could_not_be_sent_is_sent_when_the_last_comes_again(line: Line) -> None:
    """Its own message is not done with until then."""
    line.put(*IDS)
    line.account.memory.documents.clear()
    id_ = line.start(segments=1)
    errors = iter([Unavailable("503")])

    def no_sending(service: str, _method: str, _given: Any) -> None:
        if service == "sqs":
            for error in errors:
                raise error

    line.before = no_sending
    line.account.service.run_worker._kinds["backfill"].page = waits  # type: ignore[method-assign]
    (own,) = line.messages
    assert not line.deliver(own)
    (segment,) = line.segments(id_)
    assert (segment.hop, segment.sent) == (1, 0)
    assert not line.deliver(own)  # a copy: its worker may be sending just now
    line.clock.now = segment.held_until
    assert line.deliver(own)
    assert len(line.messages) == 1
    (segment,) = line.segments(id_)
    assert (segment.hop, segment.sent, segment.held_until) == (1, 1, 0)
    assert line.deliver(own)  # once more: nothing is sent
    assert len(line.messages) == 1
    line.account.service = line.account.fresh()
    assert is_right(line, id_)


def waits(*_: Any, **_more: Any) -> Any:
    raise Throttled("a page")
