"""The dead-letter table: what is written under which condition, pages, and failing requests."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync.deadletters.row import Row, to_item
from sync.deadletters.table import Filter
from sync.errors import ConfigError, Misconfigured, Throttled
from sync.recovery.bodies import Payload
from sync.recovery.state import state_of
from sync.runtime.deadline import Deadline
from tests.doubles.derived import Tables
from tests.unit.deadletters.stored import NAME, NOW, Rows

AT = "2026-11-21T08:00:00.000Z"
OPEN = Row(
    id="row",
    kind="quarantined",
    first_at=AT,
    last_at=AT,
    seen=2,
    letter="one",
    table="products",
    keys={"productId": {"S": "p"}},
    sink="opensearch",
    error_class="Refused",
    error="no",
    trace="line 1",
    version=5,
    after=50,
    state="older",
    body="{}",
    payload=Payload("bucket", "key", 9),
    replays=2,
)


@pytest.fixture
def rows(tables: Tables) -> Rows:
    return Rows(tables.client)


# ── Single rows ───────────────────────────────────────────────────────────────────────────────────


def test_a_row_is_written_read_and_removed(rows: Rows) -> None:
    """Whole, and consistently: what was just written is found."""
    rows.table.add(OPEN)
    assert rows.table.get("row") == OPEN
    rows.table.remove("row")
    rows.table.remove("row")
    assert rows.table.get("row") is None
    reads = [request for name, request in rows.watched.requests if name == "get_item"]
    assert [request["ConsistentRead"] for request in reads] == [True, True]


def test_rows_are_known_without_what_merging_does_not_need(rows: Rows) -> None:
    """Bodies are large; a row that does not exist is not among them."""
    rows.put(OPEN, replace(OPEN, id="other"))
    slim = replace(OPEN, body=None, payload=None, trace=None)
    assert rows.table.known(["row", "absent", "other"], rows.deadline) == {
        "row": slim,
        "other": replace(slim, id="other"),
    }


# ── Merging ───────────────────────────────────────────────────────────────────────────────────────

NEWER = replace(OPEN, seen=1, letter="two", error="newer", version=6, after=60, replays=0)
OLDER = replace(OPEN, seen=1, letter="zero", error="older", version=4, last_at=NOW, after=70)


def test_a_letter_that_is_newer_replaces_the_row(rows: Rows) -> None:
    """With its body."""
    rows.put(OPEN)
    assert rows.table.record(NEWER, OPEN, rows.deadline)
    assert rows.get() == to_item(replace(NEWER, seen=3, replays=2))


def test_a_letter_that_is_older_is_counted(rows: Rows) -> None:
    """The row keeps its body, of which a merge knows nothing."""
    rows.put(OPEN)
    known = rows.table.known(["row"], rows.deadline)["row"]
    assert rows.table.record(OLDER, known, rows.deadline)
    assert rows.get() == to_item(replace(OPEN, seen=3, last_at=NOW, after=70))


def test_a_copy_changes_nothing(rows: Rows) -> None:
    """And writes nothing."""
    assert not rows.table.record(OPEN, OPEN, rows.deadline)
    assert rows.watched.requests == []


@pytest.mark.parametrize("known", [None, OPEN])
@pytest.mark.parametrize("letter", [NEWER, OLDER])
def test_a_letter_that_comes_meanwhile_is_not_lost(
    rows: Rows, known: Row | None, letter: Row
) -> None:
    """The row was read before it came: it is read again, and all are counted."""
    meanwhile = replace(OPEN, seen=7)
    rows.put(meanwhile)
    assert rows.table.record(letter, known, rows.deadline)
    assert rows.get()["seen"] == {"N": "8"}
    assert rows.get()["error"] == {"S": "newer" if letter is NEWER else "no"}


@pytest.mark.parametrize("letter", [NEWER, OLDER])
def test_a_row_that_is_discarded_meanwhile_is_looked_at_again(rows: Rows, letter: Row) -> None:
    """Only what is newer than what a person discarded opens it."""
    rows.put(replace(OPEN, status="discarded"))
    assert rows.table.record(letter, OPEN, rows.deadline) == (letter is NEWER)
    status = "open" if letter is NEWER else "discarded"
    assert rows.get()["status"] == {"S": status}


def test_a_row_that_changes_all_the_time_is_given_back(rows: Rows) -> None:
    """After a bounded number of tries; the error names row and table."""
    seen = iter(range(3, 100))
    rows.once("put_item", lambda: rows.put(replace(OPEN, seen=next(seen))))
    with pytest.raises(Throttled, match=rf"^the row row of {NAME} changed at each of 5 tries$"):
        rows.table.record(NEWER, OPEN, rows.deadline)
    assert rows.watched.calls["put_item"] == 5


# ── Resolving ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("item", [None, {"name": {"S": "Kettle"}}])
def test_a_resolved_row_says_how_and_expires_in_30_days(rows: Rows, item: Any) -> None:
    """Until then people can look it up; with the state that its replay wrote."""
    rows.put(OPEN)
    assert rows.table.resolve(OPEN, "replayed", "written", wrote=9, item=item)
    assert rows.get() == to_item(
        replace(
            OPEN,
            status="replayed",
            reason="written",
            resolved_at=NOW,
            wrote=9,
            state=state_of(item),
            expires_at=1_800_000_000 + 30 * 86_400,
        )
    )


def test_a_discarded_row_wrote_nothing(rows: Rows) -> None:
    """So no later letter is taken for one of its replay."""
    rows.put(replace(OPEN, wrote=5))
    assert rows.table.resolve(OPEN, "discarded", "noise")
    assert rows.get()["wrote"] == {"N": "0"}


@pytest.mark.parametrize("meanwhile", [{"seen": 3}, {"status": "replayed"}])
def test_a_row_that_changed_since_it_was_read_is_not_resolved(
    rows: Rows, meanwhile: dict[str, Any]
) -> None:
    """Another letter came, or somebody else resolved it."""
    changed = replace(OPEN, **meanwhile)
    rows.put(changed)
    assert not rows.table.resolve(OPEN, "discarded", "noise")
    assert rows.get() == to_item(changed)


@pytest.mark.parametrize("state", [None, "now"])
def test_a_failed_replay_leaves_its_error_and_is_counted(rows: Rows, state: str | None) -> None:
    """With the state of the item, if nothing but its change can help."""
    rows.put(OPEN)
    assert rows.table.failed(OPEN, ValueError("x" * 3_000), state=state)
    assert rows.get() == to_item(
        replace(
            OPEN,
            error_class="ValueError",
            error="x" * 2_000,
            replays=3,
            replayed_at=NOW,
            state=state or "older",
        )
    )


def test_a_replay_of_a_row_that_is_no_longer_open_leaves_no_error(rows: Rows) -> None:
    """Another replay of it succeeded."""
    resolved = replace(OPEN, status="replayed")
    rows.put(resolved)
    assert not rows.table.failed(OPEN, ValueError("no"), state=None)
    assert rows.get() == to_item(resolved)


def test_an_erased_row_keeps_what_a_replay_needs(rows: Rows) -> None:
    """And says when its content was removed."""
    rows.put(OPEN)
    rows.table.erase(OPEN)
    assert rows.get() == to_item(replace(OPEN, body=None, payload=None, trace=None, erased_at=NOW))


def test_a_row_that_is_gone_is_not_made_by_erasing_it(rows: Rows) -> None:
    """It expired meanwhile."""
    rows.table.erase(OPEN)
    assert rows.get() is None


# ── Pages ─────────────────────────────────────────────────────────────────────────────────────────


def aged(n: int, **fields: Any) -> Row:
    return replace(OPEN, id=f"r{n}", first_at=f"2026-11-21T08:00:00.{n:03}Z", **fields)


def test_pages_are_of_one_status_and_the_oldest_come_first(rows: Rows) -> None:
    """Each row stands on one page, and the last page has no cursor."""
    rows.put(*(aged(n) for n in (3, 1, 4, 0, 2)), aged(5, status="discarded"))
    first, cursor = rows.page(limit=2)
    assert (first, cursor) == (["r0", "r1"], "2026-11-21T08:00:00.001Z/r1")
    second, cursor = rows.page(limit=2, cursor=cursor)
    assert (second, cursor) == (["r2", "r3"], "2026-11-21T08:00:00.003Z/r3")
    assert rows.page(limit=2, cursor=cursor) == (["r4"], None)
    assert rows.page(limit=5) == (["r0", "r1", "r2", "r3", "r4"], None)
    assert rows.page(Filter(status="discarded"), limit=2) == (["r5"], None)


@pytest.mark.parametrize(
    ("which", "field"),
    [
        ("sink", "sink"),
        ("model", "model"),
        ("error", "error_class"),
        ("table", "table"),
        ("kind", "kind"),
    ],
)
def test_a_page_is_of_rows_that_equal_what_is_asked_for(rows: Rows, which: str, field: str) -> None:
    """In each of its parts, and in all of them."""
    rows.put(aged(0, **{field: "x"}), aged(1, **{field: "y"}), aged(2, **{field: "x"}))
    assert rows.page(Filter(**{which: "x"})) == (["r0", "r2"], None)
    assert rows.page(Filter(**{which: "x"}), limit=1)[0] == ["r0"]
    rows.put(aged(0, **{field: "x"}, status="replayed"))
    assert rows.page(Filter(**{which: "x"})) == (["r2"], None)
    assert rows.page(Filter(**{"table": "x", "kind": "x", which: "z"})) == ([], None)


def test_a_page_holds_no_bodies(rows: Rows) -> None:
    """Those of thousands of rows would be too much for one answer; nor the ids of letters."""
    rows.put(aged(0, state="s"))
    (row,), _ = rows.table.page(Filter(), limit=1, cursor=None, deadline=rows.deadline)
    assert row == aged(0, state="s", letter="", body=None, payload=None, trace=None)


QUEUED = Filter(kind="queued")


def test_a_filter_that_drops_most_rows_reads_on(rows: Rows) -> None:
    """At least a hundred at a time, as DynamoDB filters after it has read."""
    rows.put(*(aged(n, kind="queued" if n in (0, 150) else "parked") for n in range(250)))
    assert rows.page(QUEUED, limit=2) == (["r0", "r150"], "2026-11-21T08:00:00.150Z/r150")
    limits = [request["Limit"] for name, request in rows.watched.requests if name == "query"]
    assert limits == [100, 100]
    assert rows.page(QUEUED, limit=150) == (["r0", "r150"], None)
    limits = [request["Limit"] for name, request in rows.watched.requests if name == "query"]
    assert limits[2:] == [150, 149]


def test_a_page_ends_with_its_time_and_goes_on_from_there(rows: Rows) -> None:
    """It may be short: the cursor is where DynamoDB stopped."""
    rows.put(*(aged(n, kind="queued" if n in (0, 150) else "parked") for n in range(250)))
    rows.deadline = Deadline(0)
    assert rows.page(QUEUED) == (["r0"], "2026-11-21T08:00:00.099Z/r99")
    assert rows.page(QUEUED, cursor="2026-11-21T08:00:00.099Z/r99") == (
        ["r150"],
        "2026-11-21T08:00:00.199Z/r199",
    )


def test_a_page_of_many_rows_is_read_at_once(rows: Rows) -> None:
    """As many as are asked for; only the next page shows that there are no more."""
    rows.put(*(aged(n) for n in range(150)))
    found, cursor = rows.page(limit=150)
    assert (len(found), cursor) == (150, "2026-11-21T08:00:00.149Z/r149")
    assert rows.page(limit=150, cursor=cursor) == ([], None)
    limits = [request["Limit"] for name, request in rows.watched.requests if name == "query"]
    assert limits[0] == 150


def test_a_cursor_holds_any_id(rows: Rows) -> None:
    """A letter without a key has its own, in which a slash may stand."""
    rows.put(replace(aged(0), id="a/b"), replace(aged(0), id="c/d"))
    first, cursor = rows.page(limit=1)
    assert (first, rows.page(limit=1, cursor=cursor)[0]) == (["a/b"], ["c/d"])


@pytest.mark.parametrize("cursor", ["", "/", "a/", "/a", "x" * 100])
def test_a_cursor_of_no_page_is_told(rows: Rows, cursor: str) -> None:
    """As much of it as helps."""
    with pytest.raises(ConfigError) as caught:
        rows.page(cursor=cursor)
    assert str(caught.value) == f"no cursor of an earlier answer: {cursor[:80]!r}"


# ── Trouble ───────────────────────────────────────────────────────────────────────────────────────


def test_rows_that_dynamodb_leaves_out_are_not_taken_for_absent(rows: Rows) -> None:
    """They are asked for again, until time is up."""
    rows.put(OPEN)

    def half(name: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if name == "batch_get_item":
            answer["UnprocessedKeys"] = {NAME: {"Keys": [{"id": {"S": "row"}}]}}
        return answer

    rows.watched.fault = half
    for ask in (
        lambda: rows.table.known(["row"], rows.until(1)),
        lambda: rows.table.record(NEWER, None, rows.until(1)),  # it is there, so it is read anew
    ):
        with pytest.raises(Throttled, match=f"^{NAME}: items left unprocessed until time was up$"):
            ask()


@pytest.mark.parametrize(
    ("call", "doing"),
    [
        (lambda rows: rows.table.get("row"), "reading from"),
        (lambda rows: rows.table.known(["row"], rows.deadline), "reading from"),
        (lambda rows: rows.page(), "reading from"),
        (lambda rows: rows.table.add(OPEN), "writing to"),
        (lambda rows: rows.table.remove("row"), "writing to"),
        (lambda rows: rows.table.erase(OPEN), "writing to"),
        (lambda rows: rows.table.resolve(OPEN, "discarded", "noise"), "writing to"),
        (lambda rows: rows.table.failed(OPEN, ValueError(), state=None), "writing to"),
        (lambda rows: rows.table.record(OPEN, None, rows.deadline), "writing to"),
        (lambda rows: rows.table.record(OLDER, OPEN, rows.deadline), "writing to"),
    ],
)
def test_a_request_that_fails_names_the_table(
    rows: Rows, call: Callable[[Rows], Any], doing: str
) -> None:
    """Whatever was asked of it."""
    rows.watched.client.delete_table(TableName=NAME)
    with pytest.raises(Misconfigured, match=f"^{doing} {NAME}: .*ResourceNotFoundException"):
        call(rows)
