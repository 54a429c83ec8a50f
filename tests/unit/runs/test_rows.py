"""Rows of runs, as they are stored and shown."""

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

import pytest

from sync.runs.rows import Run, Segment, run_item, run_of, segment_item, segment_of
from sync.runs.table import KEPT_S
from sync.runtime.deadline import Deadline
from tests.records import CORE, PRODUCTS
from tests.unit.runs.harness import Line, during_scan

IDS = [f"p{n}" for n in range(9)]


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


def test_a_row_holds_what_it_was_made_from() -> None:
    """Golden, too: other releases read it. What is not known is left out."""
    run = Run("r", "backfill", "t", {"rate": 5}, 2, None, "2027-01-15T08:00:00.000Z")
    stored = {
        "run": {"S": "r"},
        "part": {"S": "run"},
        "kind": {"S": "backfill"},
        "table": {"S": "t"},
        "arguments": {"S": '{"rate":5}'},
        "segments": {"N": "2"},
        "started_at": {"S": "2027-01-15T08:00:00.000Z"},
        "status": {"S": "running"},
        "revision": {"N": "0"},
    }
    assert run_item(run) == stored
    over = replace(run, items=7, finished_at="2027-01-16T08:00:00.000Z", revision=3)
    assert run_item(over) == {
        **stored,
        "items": {"N": "7"},
        "finished_at": {"S": "2027-01-16T08:00:00.000Z"},
        "revision": {"N": "3"},
    }
    assert [run_of(run_item(each)) for each in (run, over)] == [run, over]


def test_a_segment_holds_what_it_was_made_from() -> None:
    """Golden, too; the keys of a page are packed."""
    new = Segment("r", 7)
    stored = {
        "run": {"S": "r"},
        "part": {"S": "0007"},
        "done": {"BOOL": False},
        "hop": {"N": "0"},
        "sent": {"N": "-1"},
        "held_until": {"N": "0"},
        "tries": {"N": "0"},
        "after": {"N": "0"},
        "units": {"N": "0.0"},
        "counts": {"S": "{}"},
        "updated_at": {"S": ""},
        "revision": {"N": "0"},
    }
    assert segment_item(new) == stored
    full = Segment(
        run="r",
        number=123,
        cursor={"id": {"S": "b"}},
        done=True,
        hop=4,
        sent=3,
        holder="message",
        held_until=1_800_000_000,
        keys=({"id": {"S": "a"}}, {"id": {"N": "1"}}),
        tries=2,
        cause="503",
        after=1_800_000_000_000_000_001,
        units=1.5,
        counts={"read": 9},
        updated_at="2027-01-15T08:00:00.000Z",
        revision=6,
    )
    item = segment_item(full)
    assert item["part"] == {"S": "0123"}
    assert item["cursor"] == {"S": '{"id":{"S":"b"}}'}
    assert [segment_of(segment_item(each)) for each in (new, full)] == [new, full]
    packed = zlib.decompress(base64.b64decode(item["keys"]["S"]))
    assert json.loads(packed) == [{"id": {"S": "a"}}, {"id": {"N": "1"}}]


@pytest.mark.parametrize(
    ("holder", "held_until", "held"),
    [("message", 101, True), ("message", 100, False), (None, 101, False)],
)
def test_a_claim_ends(holder: str | None, held_until: int, held: bool) -> None:
    """By its time, or as its worker gives it up."""
    assert Segment("r", 0, holder=holder, held_until=held_until).is_held(100.0) == held
