"""Resyncs that a person starts: a note of the keys stands while anything may be under way."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from sync.errors import Refused, Retry, Unavailable
from sync.recovery.by_hand import ByHand
from sync.recovery.parking import Parked
from sync.writing.op import Done
from tests.doubles.kept import KeptParking
from tests.unit.recovery.resyncing import AnsweringInTurn, World, key

DOWN = Unavailable("503")


class Notes:
    """A journal in memory, and what was done to it, in order."""

    def __init__(self) -> None:
        self.open: dict[str, tuple[list[Parked], str | None]] = {}
        self.begin_error: Retry | None = None
        self.end_error: Retry | None = None

    def begin(self, keys: Sequence[Parked], sink: str | None) -> str:
        if self.begin_error:
            raise self.begin_error
        note = f"note {len(self.open)}"
        self.open[note] = (list(keys), sink)
        return note

    def end(self, id_: str) -> None:
        if self.end_error:
            raise self.end_error
        del self.open[id_]


class Call:
    """A call over a table and sinks in memory."""

    def __init__(self, *answers: Done | Refused | Retry) -> None:
        self.world = World(AnsweringInTurn(*answers))
        self.notes = Notes()
        self.parking = KeptParking(self.world.clock)
        self.by_hand = ByHand(self.world.resync, self.parking, self.notes)

    def run(self, *keys: Parked, **options: Any) -> list[Any]:
        found = self.by_hand.run(keys, self.world.deadline, **options)
        return [settled.verdict for settled in found]

    @property
    def parked(self) -> list[tuple[str | None, Any]]:
        return [(sink, each.source) for sink, each in self.parking.keys]


def test_what_is_written_leaves_neither_a_note_nor_a_parked_key() -> None:
    """The sink holds the item."""
    call = Call()
    call.world.table.put(1, "one")
    assert call.run(key(1)) == [Done.WRITTEN]
    assert call.world.held(call.world.memory) == "one"
    assert (call.notes.open, call.parked) == ({}, [])


def test_the_note_holds_keys_and_sink_while_they_are_written() -> None:
    """From it they are parked, should the call die."""
    call = Call()
    seen: list[Any] = []
    call.world.table.after_read = lambda: seen.append(dict(call.notes.open))
    call.run(key(1), key(2), only="memory")
    assert seen[0] == {"note 0": ([key(1), key(2)], "memory")}


def test_only_the_sink_that_was_asked_for_is_written() -> None:
    """And the other one otherwise too."""
    call = Call()
    call.world.table.put(1, "one")
    call.run(key(1), only="plain")
    assert call.world.held(call.world.memory) is None
    assert call.world.held(call.world.plain) == "one"


def test_a_key_that_failed_is_parked_for_its_sink_and_the_others_are_not() -> None:
    """Its note is no longer needed."""
    call = Call(DOWN)
    call.world.table.put(1, "one")
    (verdict,) = call.run(key(1), only="memory")
    assert verdict is DOWN
    assert call.parked == [("memory", key(1).source)]
    assert call.notes.open == {}


def test_a_refusal_is_told_and_not_parked() -> None:
    """The caller decides what becomes of it."""
    no = Refused("no")
    call = Call(no)
    call.world.table.put(1, "one")
    assert call.run(key(1), only="memory") == [no]
    assert call.parked == []


@pytest.mark.parametrize("park", [True, False])
def test_what_was_never_sent_is_parked_unless_the_caller_minds_it(park: bool) -> None:
    """A replay leaves its row open instead; by default a command parks it."""
    call = Call()
    early = key(1, after=call.world.clock.time_ns() + 10**9)
    options: dict[str, Any] = {} if park else {"park_untried": False}
    call.run(early, **options)
    assert call.parked == ([(None, early.source)] if park else [])


def test_what_was_sent_is_parked_whatever_the_caller_asks() -> None:
    """A request whose answer was lost may still take effect."""
    call = Call(DOWN)
    call.world.table.put(1, "one")
    call.run(key(1), only="memory", park_untried=False)
    assert call.parked == [("memory", key(1).source)]


def test_without_a_note_nothing_is_written() -> None:
    """Whoever dies before it is written has changed nothing."""
    call = Call()
    call.world.table.put(1, "one")
    call.notes.begin_error = DOWN
    with pytest.raises(Unavailable, match="503"):
        call.run(key(1))
    assert call.world.held(call.world.memory) is None


def test_no_keys_need_no_note() -> None:
    """Nothing is asked of anybody."""
    call = Call()
    call.notes.begin_error = DOWN
    assert call.run() == []


@pytest.mark.parametrize("count", [1, 2])
def test_a_note_stays_while_its_keys_are_not_parked(
    count: int, caplog: pytest.LogCaptureFixture
) -> None:
    """And a line says which, for which sink, how many and why."""
    call = Call(DOWN)
    keys = [key(n) for n in range(count)]
    for n in range(count):
        call.world.table.put(n, "x")
    why = Unavailable("the queue is down")
    call.parking.error = why
    assert call.run(*keys, only="memory") == [DOWN] * count
    assert list(call.notes.open) == ["note 0"]
    (line,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert line.message == "keys could not be parked yet; they will be, from the note of their call"
    said = vars(line)
    assert (said["sink"], said["count"], said["note"]) == ("memory", count, "note 0")
    assert line.exc_info is not None
    assert line.exc_info[1] is why


def test_a_note_that_can_t_be_deleted_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Its keys are parked once more, which is harmless; the call has succeeded."""
    call = Call()
    call.world.table.put(1, "one")
    call.notes.end_error = DOWN
    assert call.run(key(1)) == [Done.WRITTEN]
    (line,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert line.message == "the note of a call could not be deleted"
    assert vars(line)["note"] == "note 0"
    assert line.exc_info is not None
    assert line.exc_info[1] is DOWN
