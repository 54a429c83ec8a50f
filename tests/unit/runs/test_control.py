"""Starting, watching, pausing, resuming and cancelling; and runs whose messages were lost."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync.aws import tables
from sync.aws.tables import Table
from sync.errors import ConfigError, Throttled, Unanswered, Unavailable
from sync.runs.control import STILL_S
from sync.runs.messages import RunMessage
from tests.doubles.account import Account
from tests.doubles.logged import logged
from tests.doubles.sinks import Answering
from tests.records import CORE, PRODUCTS
from tests.unit.runs.harness import Crash, Line, during_scan

IDS = [f"p{n}" for n in range(9)]


# ── Start ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_start_says_what_it_will_take(line: Line) -> None:
    """Two readings of all that the table holds, in units of 4 KB."""
    line.put(*IDS)
    answer = line.account.call("backfill start", table=PRODUCTS, dry_run=True)
    assert answer == {
        "id": None,
        "table": PRODUCTS,
        "segments": 1,
        "items": 9,
        "units": 2,
        "beside": [],
    }
    assert (line.messages, line.account.call("backfill list")) == ([], {"runs": []})
    begun = line.account.call("backfill start", table=PRODUCTS, segments=3)
    assert begun["segments"] == len(line.messages) == 3
    assert re.fullmatch("[0-9a-f]{12}", begun["id"])
    assert {each.visible_at for each in line.messages} == {line.clock.now}
    assert [RunMessage.read(each.body) for each in line.messages] == [
        RunMessage(begun["id"], number, 0) for number in range(3)
    ]
    assert [(each.hop, each.sent) for each in line.segments(begun["id"])] == [(0, 0)] * 3


@pytest.mark.parametrize(
    ("items", "segments"), [(0, 1), (99_999, 1), (100_000, 2), (400_000, 8), (10**9, 8)]
)
def test_a_large_table_is_scanned_in_several_segments(
    line: Line, monkeypatch: pytest.MonkeyPatch, items: int, segments: int
) -> None:
    """Unless it is said how many there are to be."""
    about = Table(PRODUCTS, "arn", {"productId": "S"}, None, None, items, 4097)
    monkeypatch.setattr(tables, "known", lambda *_: about)
    answer = line.account.call("backfill start", table=PRODUCTS)
    assert (answer["segments"], answer["items"], answer["units"]) == (segments, items, 4)
    other = line.account.call("backfill start", table=PRODUCTS, segments=200, also=True)
    assert other["segments"] == len(line.segments(other["id"])) == 200


def test_a_second_backfill_of_a_table_is_started_only_on_purpose(line: Line) -> None:
    """It does no harm, but costs as much again. One of another table is nobody's business."""
    line.put(*IDS)
    first = line.start()
    with pytest.raises(ConfigError, match=f"is not over: {first}; with --also"):
        line.start()
    assert line.account.call("backfill start", table=PRODUCTS, dry_run=True)["beside"] == [first]
    line.start(CORE)
    second = line.start(also=True)
    line.rest()
    assert [line.run(id_).status for id_ in (first, second)] == ["done"] * 2
    assert line.sink() == line.table()
    line.start()


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"table": "no-table"}, "no model is of the table 'no-table'"),
        ({"model": "Nope"}, f"{PRODUCTS} has no model 'Nope'; there are: Product"),
        ({"sinks": ["x"]}, "are written to no sink 'x'; there are: opensearch"),
        (
            {"table": CORE, "model": "IcaoAircraft", "prefix": "FAA"},
            "no partition key of IcaoAircraft begins with 'FAA'",
        ),
        ({"segments": 201}, "'segments' must be"),
        ({"segments": 0}, "'segments' must be"),
        ({"rate": 0}, "'rate' must be"),
        ({"model": ""}, "needs 'model'"),
    ],
)
def test_a_wrong_start_is_refused(line: Line, payload: dict[str, Any], error: str) -> None:
    """With what there is."""
    with pytest.raises(ConfigError, match=error):
        line.account.call("backfill start", **{"table": PRODUCTS, **payload})
    assert line.messages == []


def test_a_stage_without_runs_says_so(account: Account) -> None:
    """Its other commands work, and its other queues."""
    account.service = account.fresh(RUNS_TABLE="", RUNS_QUEUE_URL="")
    with pytest.raises(ConfigError, match="RUNS_TABLE and RUNS_QUEUE_URL are not set"):
        account.call("backfill list")
    assert account.call("recover")["revived"] == 0


def test_a_start_that_dies_leaves_no_run_or_one_that_is_revived(line: Line) -> None:
    """The run's own row is written last; then come its messages."""
    line.put(*IDS)
    line.before = dies_at("send_message_batch")
    line.working = True
    with pytest.raises(Crash):
        line.start(segments=2)
    line.working = False
    (shown,) = line.account.call("backfill list")["runs"]
    assert (shown["status"], line.messages) == ("running", [])
    line.clock.now += STILL_S
    assert line.account.call("recover")["revived"] == 2
    line.before = lambda *_: None
    line.rest()
    assert line.run(shown["id"]).status == "done"
    assert line.sink() == line.table()


def die() -> None:
    raise Crash


def dies_at(wanted: str) -> Callable[..., None]:
    def befall(_service: str, method: str, _given: Any) -> None:
        if method == wanted:
            raise Crash

    return befall


# ── Pause, resume, cancel ─────────────────────────────────────────────────────────────────────────


def test_a_paused_run_ends_after_its_page_and_goes_on_where_it_was(line: Line) -> None:
    """In mid-page: that page is completed."""
    line.put(*IDS)
    id_ = line.start(segments=1)
    line.before = during_scan(4, lambda: line.account.call("backfill pause", id=id_))
    while line.step():
        pass
    assert line.run(id_).status == "paused"
    read = line.counts(id_)["read"]
    assert 0 < read < len(IDS)
    (segment,) = line.segments(id_)
    assert not segment.begun
    answer = line.account.call("backfill resume", id=id_)
    assert answer == {"id": id_, "table": PRODUCTS, "status": "running"}
    line.rest()
    assert line.counts(id_) == {"read": len(IDS), "written": len(IDS)}
    assert line.sink() == line.table()


def test_a_run_that_is_resumed_while_its_worker_pauses_goes_on(line: Line) -> None:
    """The worker has read that it is paused; resuming it finds the segment claimed."""
    line.put(*IDS)
    id_ = line.start(segments=1)
    line.before = during_scan(2, lambda: line.account.call("backfill pause", id=id_))
    resumed: list[int] = []

    def resume(_service: str, method: str, given: Any) -> None:
        released = method == "put_item" and "holder" not in given["Item"]
        if released and given["Item"]["part"]["S"] == "0000" and not resumed:
            resumed.append(len(line.messages))  # the one that is being handled
            line.account.call("backfill resume", id=id_)
            assert len(line.messages) == 1

    line.before, during = resume, line.before
    line.after = during
    line.rest()
    assert resumed == [1]
    assert line.run(id_).status == "done"
    assert line.sink() == line.table()


def test_resuming_a_run_that_waits_has_it_go_on(line: Line) -> None:
    """Once what was sent has taken effect. Its earlier message counts no longer."""
    line.put(*IDS)
    line.account.memory = sink = Answering(lambda _op: Unavailable("503"))
    line.account.service = line.account.fresh()
    id_ = line.start(segments=1)
    for _ in range(8):
        line.step()
    sink.answer = lambda _op: None
    line.account.service = line.account.fresh()
    line.account.call("backfill resume", id=id_)
    earlier, now = sorted(line.messages, key=lambda each: -each.visible_at)
    assert now.visible_at == line.clock.now + 40
    line.clock.now += 40
    assert line.deliver(now)
    assert line.run(id_).status == "done"
    scans: list[Any] = []
    line.before = lambda _service, method, _given: scans.append(method)
    assert line.deliver(earlier)
    assert "scan" not in scans


def test_a_segment_that_is_worked_on_is_left_alone_by_resuming(line: Line) -> None:
    """Its worker sends the next message."""
    line.put(*IDS)
    id_ = line.start(segments=1)
    sent: list[int] = []

    def resume() -> None:
        line.account.call("backfill resume", id=id_)
        sent.append(len(line.messages))

    line.before = during_scan(2, resume)
    line.rest()
    assert sent == [1]  # the one that is being handled
    assert line.counts(id_)["read"] == len(IDS)


@pytest.mark.parametrize("turn", ["pause", "cancel"])
def test_a_page_that_was_begun_is_settled_before_a_run_ends(line: Line, turn: str) -> None:
    """What its sink did not answer may have written an older state: the keys are parked, since
    nobody may come again to verify them."""
    line.put(*IDS)
    line.account.memory = sink = Answering(lambda _op: Unanswered("?"))
    line.account.service = line.account.fresh()
    id_ = line.start(segments=1)
    line.step()
    line.account.call(f"backfill {turn}", id=id_)
    line.step()
    assert line.messages == []
    parked = {key.source.keys["productId"]["S"] for m in line.account.parked for key in m.keys}
    page = {op.id for op in sink.calls[0]}
    assert parked == page
    (segment,) = line.segments(id_)
    assert not segment.begun
    sink.answer = lambda _op: None
    line.rest()
    assert {id_: name for id_, name in line.table().items() if id_ in page} == line.sink()


@pytest.mark.parametrize("turn", ["pause", "cancel"])
def test_a_page_whose_worker_died_is_settled_before_a_run_ends(line: Line, turn: str) -> None:
    """It is done once more, also if that takes several messages; then nothing follows."""
    line.put(*IDS)
    id_ = line.start(segments=1)
    line.before = during_scan(2, die)
    line.step()
    line.account.call(f"backfill {turn}", id=id_)
    errors = [Throttled("rate")] * 6

    def throttled(_service: str, method: str, _given: Any) -> None:
        if method == "scan" and errors:
            raise errors.pop()

    line.before = throttled
    line.step()
    assert len(line.messages) == 1
    line.rest()
    (segment,) = line.segments(id_)
    assert not segment.begun
    assert 0 < line.counts(id_)["read"] < len(IDS)
    status = {"pause": "paused", "cancel": "cancelled"}[turn]
    assert line.run(id_).status == status


def test_a_cancelled_run_is_over(line: Line) -> None:
    """It can't be resumed, and its messages end."""
    line.put(*IDS)
    id_ = line.start(segments=2)
    answer = line.account.call("backfill cancel", id=id_)
    assert answer == {"id": id_, "table": PRODUCTS, "status": "cancelled"}
    for turn in ("cancel", "pause", "resume"):
        with pytest.raises(ConfigError, match=f"the run {id_} is over: cancelled at 2027-"):
            line.account.call(f"backfill {turn}", id=id_)
    line.rest()
    assert (line.sink(), line.counts(id_)) == ({}, {})
    assert line.run(id_).finished_at is not None


def test_pausing_the_last_page_of_a_run_does_not_keep_it_from_ending(line: Line) -> None:
    """There is nothing left to resume."""
    line.put("a")
    id_ = line.start(segments=1)
    line.before = during_scan(2, lambda: line.account.call("backfill pause", id=id_))
    line.rest()
    assert line.run(id_).status == "done"


def test_a_run_that_there_is_not_is_said(line: Line) -> None:
    """By each command that names one."""
    for turn in ("show", "cancel", "pause", "resume"):
        with pytest.raises(ConfigError, match="no run 'x'; `backfill list` shows"):
            line.account.call(f"backfill {turn}", id="x")


def test_a_row_that_changes_all_the_time_is_tried_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five times; then it is left to the caller."""
    id_ = line.start()
    table = line.account.service.runs_table
    tries: list[int] = []

    def changed(_row: Any) -> None:
        tries.append(1)

    monkeypatch.setattr(table, "save", changed)
    with pytest.raises(Throttled, match=f"the run {id_} changed at each of 5 tries"):
        line.account.call("backfill pause", id=id_)
    assert len(tries) == 5


# ── Lost messages ─────────────────────────────────────────────────────────────────────────────────


def test_a_segment_whose_message_was_lost_is_revived(line: Line) -> None:
    """Once nothing has changed for three quarters of an hour, and only it."""
    line.put(*IDS)
    id_ = line.start(segments=2)
    line.messages.pop()
    line.step()
    line.clock.now = 1_800_000_100 + STILL_S - 60
    assert line.account.call("recover")["revived"] == 0
    line.clock.now += 120
    assert line.account.call("recover")["revived"] == 1
    line.rest()
    assert line.run(id_).status == "done"
    assert line.counts(id_)["read"] == len(IDS)


def test_segments_are_revived_by_messages_of_their_own(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """Of every run; earlier messages count no longer, should they come after all. It is logged."""
    line.put(*IDS)
    runs = [line.start(segments=2), line.start(CORE, segments=1)]
    lost = [RunMessage.read(each.body) for each in line.messages]
    line.messages.clear()
    line.clock.now += STILL_S - 1
    caplog.clear()
    assert line.account.call("recover")["revived"] == 0
    assert logged(caplog) == []
    line.clock.now += 1
    assert line.account.call("recover")["revived"] == 3
    told = [
        (level, text, more["run"], more["table"], more["count"])
        for level, text, more in logged(caplog)
    ]
    text = "segments of a run stood still; they go on"
    assert sorted(told) == sorted(
        [("WARNING", text, runs[0], PRODUCTS, 2), ("WARNING", text, runs[1], CORE, 1)]
    )
    sent = [RunMessage.read(each.body) for each in line.messages]
    assert sorted(sent, key=str) == sorted(
        (replace(each, hop=each.hop + 1) for each in lost), key=str
    )
    for each in line.segments(runs[0]):
        assert (each.hop, each.sent) == (1, 1)


def test_resuming_is_not_logged_as_standing_still(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """A person did it."""
    id_ = line.start()
    line.account.call("backfill pause", id=id_)
    caplog.clear()
    line.account.call("backfill resume", id=id_)
    assert logged(caplog) == []
    assert len(line.messages) == 2


@pytest.mark.parametrize("turn", ["pause", "cancel"])
def test_a_run_that_is_to_stand_still_is_not_revived(line: Line, turn: str) -> None:
    """It does so on purpose."""
    id_ = line.start()
    line.account.call(f"backfill {turn}", id=id_)
    line.clock.now += 2 * STILL_S
    assert line.account.call("recover")["revived"] == 0


def test_a_run_that_was_not_ended_is_ended(line: Line) -> None:
    """Its last worker died before it could, and the message was lost."""
    line.put("a")
    id_ = line.start(segments=1)
    line.before = dies_at("query")
    line.step()
    assert (line.run(id_).status, line.segments(id_)[0].done) == ("running", True)
    line.messages.clear()
    line.account.call("recover")
    assert line.run(id_).status == "done"
