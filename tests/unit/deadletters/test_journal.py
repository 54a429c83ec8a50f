"""Notes of the keys that calls of people are writing, also of calls that died."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.deadletters.journal import LONGEST_CALL_S, TableJournal
from sync.deadletters.row import Row, to_item
from sync.errors import Unavailable
from sync.recovery.parking import Parked, ParkedMessage
from sync.runtime.moments import iso
from tests.doubles.derived import Tables
from tests.doubles.kept import KeptParking
from tests.doubles.logged import logged
from tests.unit.deadletters.stored import NAME, NOW, NOW_S, Rows


def key(n: int) -> Parked:
    return Parked(Source("products", {"productId": {"S": f"p{n}"}}), after_version=n)


def note(id_: str, age_s: float, *keys: Parked) -> Row:
    """The note of a call that began *age_s* ago."""
    began_s = NOW_S - age_s
    body = ParkedMessage("opensearch", keys or (key(1),), 0, began_s).body()
    at = iso(began_s)
    return Row(id_, "by-hand", at, at, status="running", sink="opensearch", body=body)


@pytest.fixture
def rows(tables: Tables) -> Rows:
    return Rows(tables.client)


@pytest.fixture
def journal(rows: Rows) -> TableJournal:
    return TableJournal(rows.table, rows.clock)


@pytest.mark.parametrize("sink", ["opensearch", None])
def test_a_call_notes_its_keys_while_it_runs(
    rows: Rows, journal: TableJournal, sink: str | None
) -> None:
    """As they are parked should it die: for its sink, or for all sinks of their models."""
    id_ = journal.begin([key(1), key(2)], sink)
    assert rows.get(id_) == to_item(
        Row(
            id=id_,
            kind="by-hand",
            first_at=NOW,
            last_at=NOW,
            status="running",
            sink=sink,
            body=ParkedMessage(sink, (key(1), key(2)), 0, NOW_S).body(),
        )
    )
    assert journal.begin([key(1)], sink) != id_
    journal.end(id_)
    assert rows.get(id_) is None


def test_the_keys_of_a_call_that_died_are_parked(
    rows: Rows, journal: TableJournal, caplog: pytest.LogCaptureFixture
) -> None:
    """Once it is older than a call can be; with the versions that a resync has to be above."""
    rows.put(note("dead", LONGEST_CALL_S + 0.001, key(1), key(2)), note("alive", LONGEST_CALL_S))
    parking = KeptParking(rows.clock)
    with caplog.at_level(logging.INFO, "sync"):
        assert journal.take_over(parking, rows.deadline) == 2
    assert [(sink, parked.source, parked.after_version) for sink, parked in parking.keys] == [
        ("opensearch", key(n).source, n) for n in (1, 2)
    ]
    assert logged(caplog) == [
        (
            "WARNING",
            "a call died; its keys are parked",
            {"sink": "opensearch", "count": 2, "note": "dead"},
        )
    ]
    assert (rows.get("dead"), rows.get("alive") is None) == (None, False)
    assert journal.take_over(parking, rows.deadline) == 0


def test_letters_are_no_notes(rows: Rows, journal: TableJournal) -> None:
    """However old they are."""
    old = note("row", 10_000)
    rows.put(Row("row", "quarantined", old.first_at, old.last_at, body=old.body))
    assert journal.take_over(KeptParking(rows.clock), rows.deadline) == 0
    assert rows.get("row") is not None


def test_a_note_stays_until_its_keys_are_parked(rows: Rows, journal: TableJournal) -> None:
    """Or they would be forgotten."""
    rows.put(note("dead", 1_000))
    with pytest.raises(Unavailable, match=r"^queue$"):
        journal.take_over(KeptParking(rows.clock, error=Unavailable("queue")), rows.deadline)
    assert rows.get("dead") is not None


def test_a_note_that_is_gone_meanwhile_parks_nothing(rows: Rows, journal: TableJournal) -> None:
    """Another call took it over, or its own ended late."""
    rows.put(note("one", 1_002), note("two", 1_001), note("three", 1_000))
    gone = {"TableName": NAME, "Key": {"id": {"S": "two"}}}
    rows.once("get_item", lambda: rows.watched.client.delete_item(**gone))
    parking = KeptParking(rows.clock)
    assert journal.take_over(parking, rows.deadline) == 2
    assert len(parking.keys) == 2


@pytest.mark.parametrize(("seconds", "parked"), [(60.0, 150), (0.0, 100)])
def test_all_notes_are_taken_over_as_long_as_there_is_time(
    rows: Rows, journal: TableJournal, seconds: float, parked: int
) -> None:
    """A page at a time; what is left is taken over by the next call."""
    rows.put(*(note(f"n{n}", 1_000 + n) for n in range(150)))
    parking = KeptParking(rows.clock)
    assert journal.take_over(parking, rows.until(seconds)) == parked
    assert len(parking.keys) == parked
    assert journal.take_over(parking, rows.until(60)) == 150 - parked


@pytest.mark.parametrize("seconds", [10.0, 0.5])
def test_notes_of_calls_that_run_are_looked_at_once(
    rows: Rows, journal: TableJournal, seconds: float
) -> None:
    """However many there are, and however few of them DynamoDB gives at once."""
    rows.put(*(note(f"n{n}", n) for n in range(30)))

    def few(name: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if name == "query":
            rows.clock.now += 1
            if len(answer["Items"]) > 20:
                answer["Items"] = answer["Items"][:20]
                last = answer["Items"][-1]
                answer["LastEvaluatedKey"] = {k: last[k] for k in ("id", "status", "first_at")}
        return answer

    rows.watched.fault = few
    assert journal.take_over(KeptParking(rows.clock), rows.until(seconds)) == 0
    assert rows.watched.calls["query"] == (2 if seconds > 1 else 1)


def test_pages_of_notes_that_run_follow_one_another(rows: Rows, journal: TableJournal) -> None:
    """None of them goes away by being looked at."""
    rows.put(*(note(f"n{n}", n) for n in range(150)))
    rows.once("query", lambda: setattr(rows.clock, "now", rows.clock.now + 1))
    assert journal.take_over(KeptParking(rows.clock), rows.until(10)) == 0
    assert rows.watched.calls["query"] == 2
