"""The worker of the queue of parked keys."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from sync.errors import Refused, Unavailable
from sync.recovery.parking import LIFETIME_S, ParkedMessage
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.op import Op, Outcome
from tests.unit.recovery.resyncing import AnsweringInTurn, Work, key


def test_a_message_whose_keys_are_in_line_is_done() -> None:
    """Nothing is parked, nothing quarantined."""
    work = Work()
    work.table.put(1, "one")
    assert work.receive(key(1)) == []
    assert work.held(work.memory) == "one"
    assert (work.parking.messages, work.letters.kept) == ([], [])


def test_what_is_left_of_a_message_is_parked_again() -> None:
    """One try more, and above what was tried now."""
    work = Work(AnsweringInTurn(Unavailable("503")))
    assert work.receive(key(1, after=5), tries=2) == []
    (sent,) = work.parking.messages
    left = replace(key(1, after=work.clock.time_ns()), since_s=work.clock.now)
    assert (sent.keys, sent.tries) == ((left,), 3)


def test_an_op_carries_the_age_of_its_key() -> None:
    """For sinks that hand it on; those of replays and commands have none."""
    seen: list[float | None] = []

    class Seeing(Memory):
        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
            seen.extend(op.since_s for op in ops)
            return super().write(ops, deadline)

    work = Work(Seeing())
    work.receive(key(1), since_s=work.clock.now - 7)
    work.run(key(2))
    assert seen == [work.clock.now - 7, None]


def test_a_message_that_cannot_be_parked_again_comes_again() -> None:
    """SQS keeps it."""
    work = Work(AnsweringInTurn(Unavailable("503")))
    work.parking.error = Unavailable("down")
    assert work.receive(key(1)) == ["m0"]


def test_after_two_weeks_a_key_becomes_a_dead_letter() -> None:
    """SQS would drop it without a word."""
    work = Work(AnsweringInTurn(Unavailable("503")))
    work.table.put(1, "one")
    assert work.receive(key(1), since_s=work.clock.now - LIFETIME_S - 1) == []
    (letter,) = work.letters.kept
    assert "parked for 14 days, and still: 503" in str(letter.error)
    assert "item" not in letter.raw  # so that a replay is tried although it has not changed
    assert work.parking.messages == []


def test_a_refused_key_becomes_a_dead_letter_with_its_item() -> None:
    """And where its letter can't be published, the message comes again."""
    work = Work(AnsweringInTurn(Refused("no"), Refused("no")))
    work.table.put(1, "one")
    assert work.receive(key(1)) == []
    (letter,) = work.letters.kept
    assert (letter.sink, letter.document_id) == ("memory", "THING|1")
    work.letters.error = Unavailable("down")
    assert work.receive(key(1)) == ["m0"]


@pytest.mark.parametrize("body", ["", "{}", '{"schema": 99}'])
def test_an_unreadable_message_comes_again_and_spoils_no_other(body: str) -> None:
    """In the end it goes to the dead letters, whole."""
    work = Work()
    work.table.put(1, "one")
    good = ParkedMessage("memory", (key(1),), 0, work.clock.now).body()
    assert work.bodies(body, good) == ["m0"]
    assert work.held(work.memory) == "one"


def test_copies_that_meet_become_one() -> None:
    """A long outage parks an item with each of its changes; they are not tried for ever apart."""
    work = Work(AnsweringInTurn(Unavailable("503")))
    now = work.clock.now
    bodies = [
        ParkedMessage("memory", (key(1, after=n), key(n)), 0, now).body() for n in range(2, 6)
    ] + [ParkedMessage("plain", (key(1),), 0, now).body()]
    assert work.bodies(*bodies) == []
    (sent,) = work.parking.messages
    assert sent.sink == "memory"
    assert [k.source for k in sent.keys].count(key(1).source) == 1
    assert len(sent.keys) == 5


def test_a_message_comes_again_with_those_that_name_its_key() -> None:
    """And with no others, where what is left can't be parked."""
    work = Work(AnsweringInTurn(Unavailable("503")))
    work.parking.error = Unavailable("down")
    work.table.put(9, "nine")
    now = work.clock.now
    first, second = (ParkedMessage("memory", (key(1), key(n)), 0, now).body() for n in (2, 3))
    other = ParkedMessage("plain", (key(9),), 0, now).body()
    assert work.bodies(first, other, second) == ["m0", "m2"]


def test_large_messages_stay_apart() -> None:
    """What a worker does well within its time."""
    work = Work(AnsweringInTurn(*[Unavailable("503")] * 20))
    keys = [key(n) for n in range(1200)]
    now = work.clock.now
    bodies = [ParkedMessage("memory", tuple(keys[at : at + 600]), 0, now).body() for at in (0, 600)]
    assert work.bodies(*bodies) == []
    assert [len(m.keys) for m in work.parking.messages] == [600, 600]
