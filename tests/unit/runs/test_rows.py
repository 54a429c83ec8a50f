"""Rows of runs, as they are stored and shown; and their messages."""

from dataclasses import replace
from typing import Any

import pytest

from sync.errors import Unavailable
from sync.runs.messages import RunMessage
from sync.runs.table import KEPT_S
from sync.runtime.deadline import Deadline
from tests.records import CORE, PRODUCTS
from tests.unit.runs.harness import Line, during_scan

IDS = [f"p{n}" for n in range(9)]


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_shown_with_what_it_has_done(line: Line) -> None:
    """And what it waits for; the newest comes first."""
    line.put(*IDS)
    old = line.start(segments=1, rate=1_000)
    line.rest()
    line.clock.now += 60
    new = line.start(CORE, model="IcaoAircraft", sinks=["opensearch"])
    listed = line.account.call("backfill list")["runs"]
    assert [run["id"] for run in listed] == [new, old]
    shown = line.account.call("backfill show", id=old)
    assert shown["run"] == listed[1]
    units = shown["run"]["totals"].pop("units")
    assert units >= 2
    assert shown["run"].pop("updated_at") <= shown["run"]["finished_at"]
    assert shown["run"] == {
        "id": old,
        "table": PRODUCTS,
        "status": "done",
        "started_at": "2027-01-15T08:01:40.000Z",
        "finished_at": line.run(old).finished_at,
        "arguments": {"keys": ["productId"], "rate": 1_000},
        "items": 9,
        "segments": 1,
        "segments_done": 1,
        "totals": {"read": 9, "written": 9, "unmatched": 0, "parked": 0, "failed": 0},
        "cause": None,
    }
    (part,) = shown["segments"]
    assert (part["segment"], part["state"], part["tries"], part["cause"]) == (0, "done", 0, None)
    assert part["counts"] == {"read": 9, "written": 9, "unmatched": 0}


def test_a_segment_is_working_while_it_is_claimed(line: Line) -> None:
    """Waiting before and after."""
    line.put(*IDS)
    id_ = line.start(segments=1)
    states: list[str] = []

    def look() -> None:
        states.append(line.account.call("backfill show", id=id_)["segments"][0]["state"])

    look()
    line.before = during_scan(2, look)
    line.account.call("backfill show", id=id_)
    line.step()
    look()
    assert states == ["waiting", "working", "done"]


def test_rows_are_kept_until_90_days_after_the_end(line: Line) -> None:
    """A run that is not over is kept for as long as it takes."""
    id_ = line.start(segments=1)
    table = line.account.service.runs_table

    def expiry(part: str) -> Any:
        return table._get(id_, part).get("expires_at")

    assert expiry("0000") == {"N": str(int(line.clock.now) + KEPT_S)}
    assert expiry("run") is None
    line.rest()
    assert expiry("run") == {"N": str(int(line.clock.now) + KEPT_S)}


def test_a_row_that_changed_meanwhile_is_not_overwritten(line: Line) -> None:
    """Neither that of a segment nor that of its run."""
    id_ = line.start(segments=1)
    table = line.account.service.runs_table
    segment, run = line.segments(id_)[0], line.run(id_)
    assert table.save(replace(segment, hop=5)) is not None
    assert table.save(replace(segment, hop=6)) is None
    assert table.save(replace(run, status="paused")) is not None
    assert table.save(replace(run, status="cancelled")) is None
    assert (line.segments(id_)[0].hop, line.run(id_).status) == (5, "paused")


def test_a_write_whose_answer_was_lost_is_no_change_by_another(line: Line) -> None:
    """The client sends it again, and its condition fails for what it wrote itself."""
    id_ = line.start(segments=1)
    table = line.account.service.runs_table
    (segment,) = line.segments(id_)
    saved = table.save(replace(segment, units=0.5, counts={"read": 1}, cursor={"a": {"S": "b"}}))
    assert saved == table.save(
        replace(segment, units=0.5, counts={"read": 1}, cursor={"a": {"S": "b"}})
    )
    assert saved == line.segments(id_)[0]


def test_all_segments_of_a_run_are_read(line: Line) -> None:
    """In pages, with none of another run."""
    line.start(CORE, segments=7)
    id_ = line.start(segments=120)
    numbers = [each.number for each in line.account.service.runs_table.segments(id_, Deadline(9))]
    assert numbers == list(range(120))


# ── Messages ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[]",
        "{}",
        '{"schema":2,"run":"a","segment":0,"hop":0}',
        '{"schema":1,"run":"a","segment":0}',
        '{"schema":1,"run":5,"segment":0,"hop":0}',
        '{"schema":1,"run":"a","segment":"0","hop":0}',
        '{"schema":1,"run":"a","segment":0,"hop":0.5}',
        '{"schema":1,"run":"a","segment":true,"hop":0}',
    ],
)
def test_a_message_that_cannot_be_read_comes_again(line: Line, body: str) -> None:
    """And goes to the dead-letter queue in the end, which the queue's redrive does."""
    line.send([{"MessageBody": body, "DelaySeconds": 0}])
    assert not line.deliver(line.messages[0])


def test_a_message_of_a_run_that_is_not_there_is_done_with(line: Line) -> None:
    """Its rows have expired."""
    line.send([{"MessageBody": RunMessage("x", 0, 0).body(), "DelaySeconds": 0}])
    id_ = line.start(segments=1)
    line.send([{"MessageBody": RunMessage(id_, 1, 0).body(), "DelaySeconds": 0}])
    assert [line.deliver(each) for each in list(line.messages)] == [True] * 3


def test_a_message_is_read_as_it_was_written() -> None:
    """Golden, too: other releases read it."""
    message = RunMessage("a", 7, 12)
    assert message.body() == '{"schema":1,"run":"a","segment":7,"hop":12}'
    assert RunMessage.read(message.body()) == message


def test_messages_that_sqs_does_not_take_are_said(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its reason; a start fails then, and the run is revived later."""
    failed = {"Failed": [{"Id": "0", "Code": "InternalError", "Message": "one"}]}
    monkeypatch.setattr(line, "send", lambda _entries: failed)
    with pytest.raises(Unavailable, match="sending messages of a run: InternalError: one"):
        line.start()
