"""The worker of the queue of parked keys."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync.errors import RecordError, Refused, Unavailable
from sync.recovery.parking import LIFETIME_S, MOST_KEYS, ParkedMessage
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.op import Op, Outcome, Result
from tests.doubles.sinks import Answering
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


COUNTED = ("messages", "settled", "left", "quarantined", "failed")


def counted(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The counts in the line of the call."""
    (line,) = [vars(r) for r in caplog.records if r.message == "resync"]
    return {name: line[name] for name in COUNTED if name in line}


def test_the_line_of_a_call_counts_every_end(caplog: pytest.LogCaptureFixture) -> None:
    """Keys that are settled (a refused one too), or parked again; letters; failed messages."""
    caplog.set_level(logging.INFO, "sync")
    answers: dict[str, Result] = {"2": Unavailable("503"), "3": Refused("no")}
    work = Work(Answering(lambda op: answers.get(op.id[-1])))
    for n in range(1, 5):
        work.table.put(n, "x")
    now = work.clock.now
    bodies = [ParkedMessage("memory", (key(n),), 0, now).body() for n in range(1, 4)]
    assert work.bodies(*bodies, "{}", ParkedMessage("plain", (key(4),), 0, now).body()) == ["m3"]
    assert counted(caplog) == {
        "messages": 5,
        "settled": 3,
        "left": 1,
        "quarantined": 1,
        "failed": 1,
    }


def test_counts_of_several_sinks_are_one_sum(caplog: pytest.LogCaptureFixture) -> None:
    """A call may hold messages of each; their keys are handled apart."""
    caplog.set_level(logging.INFO, "sync")
    work = Work(AnsweringInTurn(Unavailable("503")))
    work.table.put(3, "x")
    work.table.put(4, "x")
    now = work.clock.now
    bad = replace(key(1), source=replace(key(1).source, table="another"))
    work.bodies(
        ParkedMessage("memory", (key(1), key(2)), 0, now).body(),
        ParkedMessage("plain", (key(3), key(4), bad), 0, now).body(),
        ParkedMessage(None, (key(5, after=work.clock.time_ns() + 10**9),), 0, now).body(),
    )
    assert counted(caplog) == {
        "messages": 3,
        "settled": 3,
        "left": 3,
        "quarantined": 0,
        "failed": 0,
    }


def test_an_unreadable_message_is_named_with_its_error(caplog: pytest.LogCaptureFixture) -> None:
    """So that it can be found in its dead-letter queue."""
    Work().bodies("{}")
    (line,) = [r for r in caplog.records if r.message == "unreadable message"]
    assert vars(line)["id"] == "m0"
    assert line.exc_info is not None
    assert isinstance(line.exc_info[1], RecordError)


def test_messages_of_a_thousand_keys_together_are_one_resync() -> None:
    """At the limit, and not beyond it."""
    work = Work(AnsweringInTurn(*[Unavailable("503")] * 40))
    now = work.clock.now
    keys = [key(n) for n in range(MOST_KEYS + 1)]
    work.bodies(
        ParkedMessage("memory", tuple(keys[:400]), 0, now).body(),
        ParkedMessage("memory", tuple(keys[400:MOST_KEYS]), 0, now).body(),
        ParkedMessage("memory", tuple(keys[MOST_KEYS:]), 0, now).body(),
    )
    assert [len(m.keys) for m in work.parking.messages] == [MOST_KEYS, 1]


def test_a_message_of_more_keys_than_fit_is_handled_all_the_same() -> None:
    """Alone: an older release may have sent it."""
    work = Work()
    now = work.clock.now
    keys = tuple(key(n) for n in range(MOST_KEYS + 1))
    for each in (1, MOST_KEYS):
        work.table.put(each, "x")
    assert work.bodies(ParkedMessage("memory", keys, 0, now).body()) == []
    assert [work.held(work.memory, n) for n in (1, MOST_KEYS)] == ["x", "x"]
