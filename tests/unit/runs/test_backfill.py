"""What a backfill does with its pages: live writes, chosen items and sinks, failures, its pace."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync.errors import Refused, Unanswered, Unavailable
from sync.recovery.parking import Parked
from sync.runs.backfill import MANY, PATIENCE
from tests.doubles.account import Account
from tests.doubles.sinks import Answering
from tests.records import CORE, PRODUCTS, core_keys, stream_record
from tests.simulation.aws import client_error
from tests.unit.runs.harness import Line, asked

IDS = [f"p{n}" for n in range(9)]
MANY_IDS = [f"p{n:02d}" for n in range(2 * MANY)]


def answering(line: Line, answer: Callable[[Any], Any]) -> Answering:
    """A sink that answers so, in a fresh container."""
    line.account.memory = sink = Answering(answer)
    line.account.service = line.account.fresh()
    return sink


def pages_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has all items."""
    monkeypatch.setattr("tests.simulation.dynamodb.PAGE_BYTES", 1_000_000)


# ── Live writes ───────────────────────────────────────────────────────────────────────────────────


def after_scan(number: int, change: Callable[[], object]) -> Callable[..., None]:
    """Makes *change* once scan *number* has been answered."""
    scans = []

    def befall(_service: str, method: str, _given: Any) -> None:
        if method == "scan":
            scans.append(method)
            if len(scans) == number:
                change()

    return befall


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_what_changes_during_the_scan_ends_as_it_is(
    line: Line, number: int, *, versioned: bool
) -> None:
    """Items change, appear and vanish, after any of the scans; the stream delivers at once."""
    answering(line, lambda _op: None)._versioned = versioned
    line.put(*IDS)

    def change() -> None:
        for id_ in IDS[::3]:
            line.put(id_, name="Teapot")
            deliver(line, id_, "Teapot")
        for id_ in IDS[1::3]:
            key = {"productId": {"S": id_}}
            line.account.dynamodb.delete_item(TableName=PRODUCTS, Key=key)
            deliver(line, id_, None)
        for id_ in ("p00", "p55", "p99"):
            line.put(id_, name="Cup")
            deliver(line, id_, "Cup")

    line.after = after_scan(number, change)
    id_ = line.start(segments=1)
    line.rest()
    assert line.run(id_).status == "done"
    assert line.sink() == line.table()
    assert set(line.sink().values()) == {"Kettle", "Teapot", "Cup"}


def deliver(line: Line, id_: str, name: str | None) -> None:
    """The stream's record of a change that was made just now."""
    new = None if name is None else {"name": {"S": name}, "price": {"N": "5"}}
    record = stream_record(
        {"productId": {"S": id_}}, new, table=PRODUCTS, created_s=int(line.clock.now)
    )
    line.account.handle({"Records": [record]})


def test_an_item_that_is_as_it_was_is_not_read_by_its_key(line: Line) -> None:
    """Two scans are what a page costs."""
    line.put(*IDS)
    called: list[str] = []
    line.before = lambda _service, method, _given: called.append(method)
    line.start(segments=1)
    line.rest()
    assert called.count("scan") == 2 * 3
    assert "batch_get_item" not in called


def test_a_second_page_that_ends_sooner_leaves_no_item_unverified(line: Line) -> None:
    """Items that appeared push others off it. They themselves are the stream's."""
    line.put("a", "m", "z")
    line.after = after_scan(1, lambda: line.put("b", "c", "d"))
    called: list[str] = []
    line.before = lambda _service, method, _given: called.append(method)
    line.start(segments=1)
    line.rest()
    assert "batch_get_item" in called
    assert line.sink() == {"a": "Kettle", "m": "Kettle", "z": "Kettle"}


def test_the_next_page_is_read_while_one_is_written(line: Line) -> None:
    """What it says may be old by the time it is written: it has the version of its reading."""
    line.put("a", "b", "y", "z")
    line.account.at_once = lambda call, names: [(name, call(name)) for name in reversed([*names])]
    line.account.service = line.account.fresh()
    scans = asked(line, "scan")
    note, written = line.before, line.account.memory.documents

    def befall(service: str, method: str, given: Any) -> None:
        note(service, method, given)
        if len(scans) == 2 and not written:  # the second page, before the first one is written
            line.after = change

    def change(*_: Any) -> None:
        line.after = lambda *_: None
        assert scans[1]["ExclusiveStartKey"] != scans[0].get("ExclusiveStartKey")
        line.clock.now += 1
        line.put("z", name="Teapot")
        deliver(line, "z", "Teapot")
        key = {"productId": {"S": "y"}}
        line.account.dynamodb.delete_item(TableName=PRODUCTS, Key=key)
        deliver(line, "y", None)

    line.before = befall
    id_ = line.start(segments=1)
    line.rest()
    assert line.sink() == line.table() == {"a": "Kettle", "b": "Kettle", "z": "Teapot"}
    (segment,) = line.segments(id_)
    assert segment.units == len(scans)


def test_what_was_read_ahead_is_read_again_if_the_run_is_about_something_else_now(
    line: Line,
) -> None:
    """A reindex changes its run's arguments."""
    line.put(*IDS)
    id_ = line.start(segments=1)

    def change(_service: str, method: str, _given: Any) -> None:
        if method == "scan" and line.sink() and not line.run(id_).arguments["sinks"]:
            run = line.run(id_)
            line.account.service.runs_table.save(
                replace(run, arguments={**run.arguments, "sinks": ["typesense"]})
            )

    line.after = change
    line.rest()
    assert 0 < len(line.sink()) < 4  # the first page, and no item of the next one


def test_nothing_is_read_ahead_of_a_page_that_failed_before(line: Line) -> None:
    """It may fail for hours."""
    line.put(*IDS)
    answering(line, lambda _op: Unavailable("503"))
    line.start(segments=1)
    line.step()
    scans = asked(line, "scan")
    for _ in range(3):
        line.step()
    assert scans
    assert not any("ExclusiveStartKey" in scan for scan in scans)


def test_a_next_page_that_cannot_be_read_yet_is_read_in_its_turn(line: Line) -> None:
    line.put(*IDS)
    scans = asked(line, "scan")
    note = line.before

    def befall(service: str, method: str, given: Any) -> None:
        note(service, method, given)
        if method == "scan" and len(scans) == 3:  # that of the second page
            raise client_error("ProvisionedThroughputExceededException", "slow")

    line.before = befall
    id_ = line.start(segments=1)
    line.rest()
    assert line.sink() == line.table()
    assert line.clock.slept == []
    assert [segment.tries for segment in line.segments(id_)] == [0]


# ── Which items, and where to ─────────────────────────────────────────────────────────────────────


def put_core(account: Account, pk: str, sk: str) -> None:
    texts = {"type_designator": "C172", "manufacturer": "CESSNA", "model": "172"}
    attributes = {name: {"S": text} for name, text in texts.items()}
    account.dynamodb.put_item(TableName=CORE, Item={**core_keys(pk, sk), **attributes})


def test_the_items_of_one_model_are_those_of_its_partition(line: Line) -> None:
    """Its pattern says the whole partition key: nothing else is read."""
    put_core(line.account, "ICAO#AIRCRAFT", "TYPE#C172#CESSNA#172")
    put_core(line.account, "OTHER", "1")
    queries = asked(line, "query", "scan")
    id_ = line.start(CORE, model="IcaoAircraft", segments=5)
    line.rest()
    assert line.counts(id_) == {"read": 1, "written": 1}
    assert len(line.segments(id_)) == 1
    assert {query["ExpressionAttributeValues"][":key"]["S"] for query in queries} == {
        "ICAO#AIRCRAFT"
    }


def test_items_are_chosen_by_the_beginning_of_their_partition_key(line: Line) -> None:
    """DynamoDB leaves out the others."""
    line.put("a1", "a2", "b1")
    scans = asked(line, "scan")
    id_ = line.start(prefix="a")
    line.rest()
    assert line.counts(id_) == {"read": 2, "written": 2}
    assert line.sink().keys() == {"a1", "a2"}
    assert {scan["FilterExpression"] for scan in scans} == {"begins_with(#key, :key)"}


def test_items_of_other_models_are_left_alone(line: Line) -> None:
    """Of a model whose partition keys have no literal beginning, each key is looked at."""
    line.put("a1")
    id_ = line.start(model="Product")
    line.rest()
    assert line.counts(id_) == {"read": 1, "written": 1}
    run = line.run(id_)
    backfill = line.account.service.run_worker._kinds["backfill"]
    (segment,) = line.segments(id_)
    other = type(run)(**{**_plain(run), "arguments": {**run.arguments, "model": "Another"}})
    page = backfill.page(
        other, segment, line.account.service.deadline(_Context()), lambda _: None, last=False
    )
    assert dict(page.counts) == {"read": 1, "unmatched": 1}


def _plain(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


class _Context:
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def test_only_the_chosen_sinks_are_written_to(line: Line) -> None:
    """Of one model that feeds two."""
    put_core(line.account, "ICAO#AIRCRAFT", "TYPE#C172#CESSNA#172")
    id_ = line.start(CORE, sinks=["opensearch"])
    line.rest()
    line.account.work()
    assert line.counts(id_) == {"read": 1, "written": 1}
    assert (len(line.account.memory.documents), line.account.typesense.documents) == (1, {})


def test_items_that_no_model_wants_are_counted(line: Line) -> None:
    """Most of a table with many kinds of items."""
    put_core(line.account, "OTHER", "1")
    id_ = line.start(CORE)
    line.rest()
    assert line.counts(id_) == {"read": 1, "unmatched": 1}


# ── Failures ──────────────────────────────────────────────────────────────────────────────────────


def test_a_sink_that_is_down_has_the_run_wait_not_its_keys_parked(line: Line) -> None:
    """Longer each time, up to a quarter of an hour, and as long as it takes; the row says why."""
    line.put(*MANY_IDS)
    with pytest.MonkeyPatch.context() as patch:
        pages_at_once(patch)
        sink = answering(line, lambda _op: Unavailable("503"))
        id_ = line.start(segments=1)
        waits_s = []
        for _ in range(PATIENCE + 4):
            line.step()
            (message,) = line.messages
            waits_s.append(message.visible_at - line.clock.now)
        assert waits_s[0] >= 40
        assert all(40 <= wait_s <= 900 for wait_s in waits_s)
        assert waits_s[-1] == 900
        assert line.account.parked == []
        shown = line.account.call("backfill show", id=id_)
        assert shown["run"]["cause"].endswith("503")
        assert shown["segments"][0]["tries"] == PATIENCE + 4
        sink.answer = lambda _op: None
        line.rest()
    assert line.sink() == line.table()
    assert line.counts(id_) == {"read": len(MANY_IDS), "written": len(MANY_IDS)}
    assert line.account.call("backfill show", id=id_)["run"]["cause"] is None


def test_nothing_is_read_for_a_chosen_sink_that_is_known_to_be_down(line: Line) -> None:
    """Its breaker is open."""
    line.put(*IDS)
    answering(line, lambda _op: Unavailable("503"))
    line.start(segments=2, sinks=["opensearch"])
    scans = asked(line, "scan")
    line.step()
    line.step()
    # For the first segment, its page, which is not verified, and the next one, read meanwhile.
    assert [scan.get("ExclusiveStartKey") is None for scan in scans] == [True, False]
    assert {scan["Segment"] for scan in scans} == {0}


def test_few_keys_that_fail_are_parked_and_the_run_goes_on(line: Line) -> None:
    """With the version that their resync has to be above."""
    pages = [f"p{n}" for n in range(9)]
    line.put(*pages)
    with pytest.MonkeyPatch.context() as patch:
        pages_at_once(patch)
        sink = answering(line, lambda op: Unanswered("?") if op.id == "p3" else None)
        id_ = line.start(segments=1)
        line.step()
    assert line.run(id_).status == "done"
    assert line.counts(id_) == {"read": 9, "written": 8, "parked": 1}
    ((key,),) = (message.keys for message in line.account.parked)
    assert isinstance(key, Parked)
    assert (key.source.keys["productId"]["S"], key.after_version > 0) == ("p3", True)
    assert line.account.parked[0].sink is None
    sink.answer = lambda _op: None
    line.rest()
    assert line.sink() == line.table()


def test_a_key_is_parked_for_each_chosen_sink(line: Line) -> None:
    """And for no other."""
    for n in range(3):
        put_core(line.account, "ICAO#AIRCRAFT", f"TYPE#C172#CESSNA#{n}")
    with pytest.MonkeyPatch.context() as patch:
        pages_at_once(patch)
        answering(line, lambda op: Unavailable("503") if op.id.endswith("0") else None)
        line.start(CORE, segments=1, sinks=["typesense", "opensearch"])
        line.step()
    assert sorted(message.sink or "" for message in line.account.parked) == [
        "opensearch",
        "typesense",
    ]


def test_what_is_refused_is_a_dead_letter(line: Line) -> None:
    """By the sink, or by the model; the others are written."""
    line.put(*IDS)
    line.account.put("bad", name={"S": "x"})
    with pytest.MonkeyPatch.context() as patch:
        pages_at_once(patch)
        answering(line, lambda op: Refused("no") if op.id == "p3" else None)
        id_ = line.start(segments=1, sinks=["opensearch"])
        line.step()
    assert line.counts(id_) == {"read": 10, "written": 8, "failed": 2}
    line.account.consume(*line.account.letters())
    assert {(row["error_class"], row["sink"]) for row in line.account.rows()} == {
        ("InvalidImage", "opensearch"),
        ("Refused", "opensearch"),
    }


@pytest.mark.parametrize("most", [True, False])
def test_a_page_that_is_mostly_refused_waits_for_about_an_hour(line: Line, *, most: bool) -> None:
    """A wrong mapping is corrected meanwhile. If not, one page an hour goes on."""
    line.put(*MANY_IDS)
    bad = MANY_IDS[: MANY if most else MANY - 1]
    with pytest.MonkeyPatch.context() as patch:
        pages_at_once(patch)
        answering(line, lambda op: Refused("no such field") if op.id in bad else None)
        id_ = line.start(segments=1)
        began_s = line.clock.now
        for tries in range(PATIENCE if most else 0):
            line.step()
            assert line.run(id_).status == "running"
            (segment,) = line.segments(id_)
            assert (segment.tries, segment.cause) == (tries + 1, "Refused: no such field")
        assert line.account.letters() == []
        line.step()
    assert line.run(id_).status == "done"
    assert (line.clock.now - began_s > 3_000) is most
    assert line.counts(id_) == {
        "read": len(MANY_IDS),
        "written": len(MANY_IDS) - len(bad),
        "failed": len(bad),
    }


def test_a_page_with_a_few_documents_that_never_come_through_ends(line: Line) -> None:
    """Each may be what takes its sink too long: they are parked after about an hour."""
    line.put("only")
    answering(line, lambda _op: Unanswered("too long"))
    id_ = line.start(segments=1)
    for _ in range(PATIENCE):
        line.step()
        assert line.account.parked == []
    line.step()
    assert line.run(id_).status == "done"
    assert line.counts(id_) == {"read": 1, "parked": 1}


def test_what_may_land_yet_is_waited_for_by_the_next_try(line: Line) -> None:
    """Its version has to be higher, also by another clock."""
    line.put("only")
    answering(line, lambda _op: Unanswered("?"))
    id_ = line.start(segments=1)
    line.step()
    (segment,) = line.segments(id_)
    assert segment.after > 0
    assert segment.begun
    now_s, line.clock.now = line.clock.now, 1_800_000_000.0  # a clock that is behind
    scans = asked(line, "scan")
    line.deliver(line.messages[0])
    assert scans == []
    (segment,) = line.segments(id_)
    assert segment.cause is not None
    assert segment.cause.startswith("NotTried: its time comes in ")
    assert segment.begun
    line.clock.now = now_s
    answering(line, lambda _op: None)
    line.rest()
    (segment,) = line.segments(id_)
    assert (line.run(id_).status, segment.after, segment.begun) == ("done", 0, False)


@pytest.mark.parametrize("method", ["send_message_batch", "publish_batch"])
def test_a_key_that_can_neither_be_parked_nor_told_of_holds_its_page(
    line: Line, method: str
) -> None:
    """It would be forgotten else."""
    line.put("a", "b", "c")
    parked = method == "send_message_batch"
    with pytest.MonkeyPatch.context() as patch:
        pages_at_once(patch)
        error = Unavailable("503") if parked else Refused("no")
        answering(line, lambda op: error if op.id == "b" else None)

        def down(_service: str, called: str, given: Any) -> None:
            if called == method and not str(given.get("QueueUrl")).endswith("/runs"):
                raise client_error("InternalError", "down", 500)

        line.before = down
        id_ = line.start(segments=1)
        line.step()
        (segment,) = line.segments(id_)
        assert (segment.tries, segment.begun, dict(segment.counts)) == (1, True, {})
        line.before = lambda *_: None
        line.rest()
    assert line.run(id_).status == "done"
