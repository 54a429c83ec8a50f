"""Bugs of dead letters, and of what a person asks for. See planted.py."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import Any
from unittest import mock
from urllib.parse import unquote_plus

from sync.deadletters import replay, table
from sync.deadletters.consumer import DeadLetterConsumer
from sync.deadletters.journal import TableJournal
from sync.deadletters.row import OPEN, Row, merged
from sync.recovery.bodies import Payload
from sync.recovery.by_hand import ByHand
from sync.recovery.letters import DeadLetters
from sync.recovery.parking import Parked
from sync.recovery.resync import Settled

Planted = AbstractContextManager[Any]


def what_was_replayed_stays_closed() -> Planted:
    """A letter that comes after its key was replayed is taken for the one that was replayed."""

    def closed(row: Row | None, letter: Row) -> Row | None:
        return merged(row, letter) if row is None or row.status == OPEN else None

    return mock.patch.object(table, "merged", closed)


def the_last_letter_counts() -> Planted:
    """Of two letters of a key the one that arrives last stands, whatever it is about."""

    def last(row: Row | None, letter: Row) -> Row | None:
        version = max(letter.version, row.version if row else 0, row.wrote if row else 0)
        told = merged(row, replace(letter, version=version))
        return told and replace(told, version=letter.version, after=letter.after)

    return mock.patch.object(table, "merged", last)


def a_letter_for_each_refusal() -> Planted:
    """Letters of one key and sink stand side by side."""
    letters = DeadLetterConsumer._letters

    def apart(self: Any, *given: Any) -> list[Row]:
        return [replace(one, id=f"{one.id}-{one.letter}") for one in letters(self, *given)]

    return mock.patch.object(DeadLetterConsumer, "_letters", apart)


def a_failed_replay_is_not_parked() -> Planted:
    """What a person's call leaves unfinished is left so."""

    def run(self: Any, keys: Sequence[Parked], deadline: Any, **more: Any) -> list[Settled]:
        return list(self._resync.run(keys, deadline, only=more.get("only")))

    return mock.patch.object(ByHand, "run", run)


def nothing_is_noted() -> Planted:
    """A person's call that dies leaves no note."""
    patches = ExitStack()
    patches.enter_context(mock.patch.object(TableJournal, "begin", return_value="none"))
    patches.enter_context(mock.patch.object(TableJournal, "end"))
    return patches


def notes_are_thrown_away() -> Planted:
    """The note of a call that died goes, and its keys are not parked."""

    def forget(self: Any, id_: str, _parking: Any) -> int:
        self._table.remove(id_)
        return 0

    return mock.patch.object(TableJournal, "_park", forget)


def given_up_batches_are_not_read() -> Planted:
    """An object that Lambda wrote for a batch it gave up on is taken for one that was handled."""

    def skip(self: Any, event: Any, objects: Any, now_s: float) -> list[Row]:
        held = event["s3"]
        objects.append(Payload(held["bucket"]["name"], unquote_plus(held["object"]["key"]), 0))
        return []

    return mock.patch.object(DeadLetterConsumer, "_object", skip)


def unpublished_letters_are_forgotten() -> Planted:
    """A letter that the topic would not take is done with."""
    publish = DeadLetters.publish

    def forget(self: Any, letters: Any) -> list[Any]:
        list(publish(self, letters))
        return []

    return mock.patch.object(DeadLetters, "publish", forget)


def letters_close_by_hand_alone() -> Planted:
    """What has changed since it failed is not tried again."""
    return mock.patch.object(replay.Replay, "changed", return_value=[])


LETTER_BUGS = {
    what_was_replayed_stays_closed: "mixed",
    the_last_letter_counts: "mixed",
    a_letter_for_each_refusal: "mixed",
    a_failed_replay_is_not_parked: "by hand",
    nothing_is_noted: "by hand",
    notes_are_thrown_away: "by hand",
    given_up_batches_are_not_read: "mixed",
    unpublished_letters_are_forgotten: "mixed",
    letters_close_by_hand_alone: "mixed",
}
