"""List, replay and resync, as people ask for them."""

from typing import Any

import pytest

from sync.errors import Refused, Unavailable
from sync.runtime.deadline import Deadline
from tests.doubles.account import GIVEN_UP, LETTERS, Account
from tests.doubles.sinks import Answering
from tests.doubles.trouble import SOUND, failing, letter, one_letter, poison
from tests.records import CORE, PRODUCTS, core_keys, stream_record


def test_a_replay_writes_what_the_table_says_now(account: Account) -> None:
    """Never what the row holds: the poison was corrected since."""
    id_ = one_letter(account)
    account.put("p", **SOUND)
    answer = account.call("dlq replay", ids=[id_])
    assert answer["counts"] == {"replayed": 1}
    assert account.document("p") == {"productId": "p", "name": "Kettle", "price": 5}
    assert account.rows() == []
    (row,) = account.rows("replayed")
    assert row["reason"] == "written as the table has it, and verified"
    raw = account.dynamodb.get_item(TableName=LETTERS, Key={"id": {"S": id_}})["Item"]
    assert int(raw["expires_at"]["N"]) == int(account.clock.now) + 30 * 24 * 3600


def test_a_replay_of_an_item_that_is_gone_deletes_its_document(account: Account) -> None:
    """However long ago that was."""
    account.put("p", **SOUND)
    account.call("resync", table=PRODUCTS)
    account.dynamodb.delete_item(TableName=PRODUCTS, Key={"productId": {"S": "p"}})
    account.clock.now += 1
    answer = account.call("dlq replay", ids=[one_letter(account)])
    assert answer["results"][0]["why"] == "the item is gone; so is its document now"
    assert account.document("p") is None


def test_what_still_fails_stays_open_with_its_new_error(account: Account) -> None:
    """Counted, and without a letter of its own."""
    account.put("p", name={"S": "x"})
    id_ = one_letter(account)
    for _ in range(2):
        assert account.call("dlq replay", ids=[id_])["counts"] == {"failed": 1}
    (row,) = account.rows()
    assert (row["error_class"], row["replays"], row["seen"]) == ("InvalidImage", 2, 1)
    assert row["error"] == "not a valid Product: price: Field required"


@pytest.mark.parametrize("error", [Refused("mapping conflict"), Unavailable("503")])
def test_a_sink_that_fails_leaves_the_row_open(error: Any, account: Account) -> None:
    """Refused or out of reach: a person looks again."""
    id_ = one_letter(account)
    account.put("p", **SOUND)
    sink = failing(account, error)
    (result,) = account.call("dlq replay", ids=[id_])["results"]
    assert result == {"id": id_, "result": "failed", "why": f"{type(error).__name__}: {error}"}
    sink.error = None
    account.clock.now += 300  # past the breaker's longest pause
    assert account.call("dlq replay", ids=[id_])["counts"] == {"replayed": 1}


def test_a_replay_of_a_table_that_is_gone_names_it(account: Account) -> None:
    """And the row stays."""
    id_ = one_letter(account)
    account.dynamodb.delete_table(TableName=PRODUCTS)
    (result,) = account.call("dlq replay", ids=[id_])["results"]
    assert result["result"] == "failed"
    assert f"reading from {PRODUCTS}" in result["why"]


def test_a_replay_of_a_key_that_no_model_wants_any_more_says_so(account: Account) -> None:
    """Nothing is written, and there is nothing left to do."""
    record = stream_record(core_keys("GONE", "1"), {}, number=1)
    account.consume({**letter(record), "table": CORE})
    answer = account.call("dlq replay", all=True)
    assert answer["counts"] == {"replayed": 1}
    assert "no model wants this key, or feeds opensearch" in answer["results"][0]["why"]


def test_a_key_that_is_none_of_its_table_fails_alone(account: Account) -> None:
    """It would fail every key that is read with it."""
    account.put("p", **SOUND)
    good = one_letter(account)
    bad = letter(poison(number=2))
    account.consume({**bad, "keys": {"PK": {"S": "x"}}}, message_id="bad")
    answer = account.call("dlq replay", all=True)
    results = {r["id"] == good: r["result"] for r in answer["results"]}
    assert results == {True: "replayed", False: "failed"}


def test_rows_without_keys_can_only_be_discarded(account: Account) -> None:
    """And a replay says so."""
    account.consume("no JSON")
    (result,) = account.call("dlq replay", all=True)["results"]
    assert (result["result"], "can only be discarded" in result["why"]) == ("no keys", True)
    answer = account.call("dlq discard", ids=[result["id"]], reason="noise")
    assert answer["counts"] == {"discarded": 1}
    assert [row["reason"] for row in account.rows("discarded")] == ["noise"]


def test_a_lost_range_can_only_be_resynced(account: Account) -> None:
    """And a replay says how."""
    account.consume(GIVEN_UP)
    (result,) = account.call("dlq replay", all=True)["results"]
    why = f"run python -m sync resync --table {PRODUCTS}, then discard it"
    assert (result["result"], result["why"]) == ("no keys", why)


def test_a_row_is_resolved_once(account: Account) -> None:
    """The same replay twice, and at once, does no harm."""
    id_ = one_letter(account)
    account.put("p", **SOUND)
    row = account.service.dead_letter_table.get(id_)
    assert row is not None
    both = [
        next(iter(account.service.replay.run([row], Deadline(60, clock=account.clock.monotonic))))
        for _ in range(2)
    ]
    assert [one.result for one in both] == ["replayed", "not open"]
    (result,) = account.call("dlq replay", ids=[id_])["results"]
    assert (result["result"], "replayed at" in result["why"]) == ("not open", True)


def test_a_letter_that_comes_during_its_replay_keeps_the_row_open(account: Account) -> None:
    """What was written may not be what failed last."""
    id_ = one_letter(account)
    account.put("p", **SOUND)
    row = account.service.dead_letter_table.get(id_)
    assert row is not None
    account.consume(letter(poison(number=2)), message_id="meanwhile")
    (replayed,) = account.service.replay.run([row], Deadline(60, clock=account.clock.monotonic))
    assert replayed.result == "not open"
    assert [row["status"] for row in account.rows()] == ["open"]


def test_a_key_waits_until_its_last_request_is_over(account: Account) -> None:
    """A range that Lambda gave up on may have left one under way."""
    account.put("p", **SOUND)
    id_ = one_letter(account)
    account.dynamodb.update_item(
        TableName=LETTERS,
        Key={"id": {"S": id_}},
        UpdateExpression="SET #after = :after",
        ExpressionAttributeNames={"#after": "after"},
        ExpressionAttributeValues={":after": {"N": str(account.clock.time_ns() + 30 * 10**9)}},
    )
    (result,) = account.call("dlq replay", ids=[id_])["results"]
    assert result["why"] == "NotTried: its time comes in 30 s"
    account.clock.now += 31
    assert account.call("dlq replay", ids=[id_])["counts"] == {"replayed": 1}


def test_an_item_that_failed_five_times_is_replayed_by_one_write(account: Account) -> None:
    """It is one item, and one dead letter."""
    for number in range(1, 6):
        account.consume(letter(poison(number=number)), message_id=f"m{number}")
    account.put("p", **SOUND)
    account.memory = sink = Answering()
    account.service = account.fresh()
    assert account.call("dlq replay", all=True)["counts"] == {"replayed": 1}
    assert [len(ops) for ops in sink.calls] == [1]


def test_filters_choose_rows_and_pages_cover_them(account: Account) -> None:
    """By sink, model and error; each row once, oldest first."""
    for number in range(1, 8):
        at = f"2026-11-21T08:00:0{number}+00:00"
        account.consume(letter(poison(f"p{number}", number=number), at=at), message_id=f"{number}")
    account.consume("unknown")
    assert account.call("dlq list", sink="memory")["rows"] == []
    assert len(account.call("dlq list", model="Product", error="InvalidImage")["rows"]) == 7
    seen: list[str] = []
    cursor = None
    while True:
        page = account.call("dlq list", sink="opensearch", limit=3, cursor=cursor)
        seen += [row["keys"]["productId"]["S"] for row in page["rows"]]
        cursor = page["cursor"]
        if cursor is None:
            break
        assert len(page["rows"]) == 3
    assert seen == [f"p{number}" for number in range(1, 8)]
    first, second = account.call("dlq list")["groups"]
    assert (first["count"], first["model"], first["oldest"]) == (
        7,
        "Product",
        "2026-11-21T08:00:01.000Z",
    )
    assert (second["count"], second["kind"]) == (1, "unknown")


def test_a_replay_goes_on_from_its_cursor(account: Account) -> None:
    """Rows that fail are not met again by the pages after."""
    for number in range(1, 6):
        account.consume(letter(poison(f"p{number}", number=number)), message_id=f"m{number}")
    ids: list[str] = []
    cursor = None
    for _ in range(5):
        page = account.call("dlq replay", all=True, limit=2, cursor=cursor)
        ids += [result["id"] for result in page["results"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert len(ids) == len(set(ids)) == 5


def test_a_replay_by_ids_goes_on_from_its_cursor(account: Account) -> None:
    """More ids than a page takes."""
    ids = [one_letter(account, f"p{number}", number) for number in range(1, 4)]
    given = [*ids, "missing"]
    page = account.call("dlq replay", ids=given, limit=2)
    assert [result["id"] for result in page["results"]] == ids[:2]
    rest = account.call("dlq replay", ids=given, cursor=page["cursor"])
    assert {r["id"]: r["result"] for r in rest["results"]} == {
        ids[2]: "replayed",
        "missing": "not found",
    }
    assert rest["cursor"] is None


def test_a_dry_run_changes_nothing(account: Account) -> None:
    """It says what it would do."""
    account.put("p", **SOUND)
    one_letter(account)
    answer = account.call("dlq replay", all=True, dry_run=True)
    assert answer["counts"] == {"would be replayed": 1}
    assert [row["status"] for row in account.rows()] == ["open"]
    assert account.call("resync", table=PRODUCTS, dry_run=True)["counts"] == {"would be written": 1}
    assert account.document("p") is None


def test_a_table_is_brought_in_line_page_by_page(account: Account) -> None:
    """Every item that is there; each page goes on where the last ended."""
    for n in range(25):
        account.put(f"p{n}", **SOUND)
    account.put("bad", name={"S": "x"})
    counts: dict[str, int] = {}
    failed: list[Any] = []
    cursor = None
    while True:
        page = account.call("resync", table=PRODUCTS, limit=10, cursor=cursor)
        counts = {n: counts.get(n, 0) + page["counts"].get(n, 0) for n in ("written", "failed")}
        failed += page["failures"]
        if (cursor := page["cursor"]) is None:
            break
    assert counts == {"written": 25, "failed": 1}
    assert [one["keys"] for one in failed] == [{"productId": {"S": "bad"}}]
    assert "price: Field required" in failed[0]["error"]
    assert len(account.memory.documents) == 25


def test_keys_are_brought_in_line(account: Account) -> None:
    """Those that are there are written, the others deleted; pages take them in turn."""
    account.put("a", **SOUND)
    keys = [{"productId": {"S": p}} for p in ("a", "b", "c")]
    page = account.call("resync", table=PRODUCTS, keys=keys, limit=2)
    rest = account.call("resync", table=PRODUCTS, keys=keys, cursor=page["cursor"])
    assert (page["counts"], rest["counts"], rest["cursor"]) == (
        {"written": 2},
        {"written": 1},
        None,
    )
    assert account.document("a") == {"productId": "a", "name": "Kettle", "price": 5}
