"""What the rows of each kind of message say, and where they are cut."""

import json
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.deadletters import rows
from sync.deadletters.row import Row
from sync.errors import RecordError
from sync.lanes.messages import Action
from sync.recovery.bodies import Payload
from sync.recovery.letters import digest, row_id
from sync.recovery.parking import Parked, ParkedMessage
from tests.doubles.account import GIVEN_UP
from tests.doubles.trouble import letter, poison
from tests.records import PRODUCTS, stream_record

KEYS = {"productId": {"S": "p"}}
NOW_S = 1_800_000_000.5
NOW = "2027-01-15T08:00:00.500Z"
AT = "2026-11-21T08:00:00.000Z"
AT_NS = 1_795_248_000 * 10**9


STREAM = f"arn:aws:dynamodb:us-east-1:123456789012:table/{PRODUCTS}/stream/label"


def wrong(**fields: Any) -> dict[str, Any]:
    """A letter with *fields* of its own."""
    return {**letter(poison()), "id": "one", "version": 7, **fields}


# ── Letters that this service published ───────────────────────────────────────────────────────────


def test_a_letter_s_row_has_all_that_it_says() -> None:
    """The key may be resynced once the letter's write is older than its time of publishing."""
    record = poison()
    row = rows.quarantined(
        {
            **wrong(target="products", document_id="d", state="s1"),
            "error": {"class": "Refused", "message": "no", "trace": "line 1"},
        }
    )
    assert row == Row(
        id=row_id(PRODUCTS, KEYS, "opensearch"),
        letter="one",
        kind="quarantined",
        first_at=AT,
        last_at=AT,
        table=PRODUCTS,
        keys=KEYS,
        sink="opensearch",
        target="products",
        document_id="d",
        error_class="Refused",
        error="no",
        trace="line 1",
        version=7,
        after=AT_NS,
        state="s1",
        body=json.dumps({**record, "eventID": "event-1"}, separators=(",", ":")),
    )


def test_a_letter_of_a_write_from_the_future_waits_for_it() -> None:
    """A clock that is ahead made its version; a resync needs a higher one."""
    assert rows.quarantined(wrong(version=AT_NS + 1)).after == AT_NS + 1


def test_a_letter_without_a_version_is_the_oldest() -> None:
    """Nobody knows which write failed."""
    message = wrong()
    del message["version"]
    assert rows.quarantined(message).version == 0


def test_the_end_of_a_long_trace_and_the_start_of_a_long_error_are_kept() -> None:
    """The one names the cause, the other begins with it."""
    error = {"class": "Refused", "message": "e" * 1_999 + "fg", "trace": "ab" + "c" * 7_999}
    row = rows.quarantined(wrong(error=error))
    assert row.error == "e" * 1_999 + "f"
    assert row.trace == "b" + "c" * 7_999


@pytest.mark.parametrize("id_", ["x" * 200, "x"])
def test_a_letter_keeps_its_own_id(id_: str) -> None:
    """As long as an item can have it as its key."""
    assert rows.quarantined(wrong(id=id_)).letter == id_


@pytest.mark.parametrize("id_", ["x" * 201, "é", "", None, 5])
def test_a_letter_whose_id_can_be_no_key_has_one_of_its_content(id_: Any) -> None:
    """The same letter has the same one in every release."""
    for message in (wrong(id=id_), wrong(id=id_, version=8)):
        text = json.dumps(message, separators=(",", ":"))
        assert rows.quarantined(message).letter == digest("quarantined", text)


def test_a_letter_whose_record_is_in_s3_points_to_it() -> None:
    """The row has no body of its own."""
    row = rows.quarantined(wrong(payload={"bucket": "b", "key": "letters/x/y.json", "bytes": 9}))
    assert (row.payload, row.body) == (Payload("b", "letters/x/y.json", 9), None)


def test_a_letter_of_another_schema_is_not_guessed_at() -> None:
    """A newer release may have written it."""
    with pytest.raises(RecordError, match=r"^a letter of schema 2; this is 1$"):
        rows.quarantined(wrong(schema=2))


# ── What Lambda gave up on ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("response", "told"),
    [
        ({"functionError": "Unhandled"}, "Unhandled"),
        ({"functionError": None}, "no function error"),
        ({}, "no function error"),
        (None, "no function error"),
    ],
)
def test_a_record_that_lambda_gave_up_on_says_why(response: Any, told: str) -> None:
    """And waits until no request of the last invocation can take effect any more."""
    record = stream_record(KEYS, {}, table=PRODUCTS, number=3, created_s=1_700_000_000)
    row = rows.given_up(record, {**GIVEN_UP, "responseContext": response}, wait_s=41)
    assert row == Row(
        id=row_id(PRODUCTS, KEYS, None),
        letter=digest("given-up", "event-3"),
        kind="given-up",
        first_at=AT,
        last_at=AT,
        table=PRODUCTS,
        keys=KEYS,
        error_class="RetryAttemptsExhausted",
        error=f"Lambda gave up after 4 invocations: {told}",
        version=1_700_000_000 * 10**9 + 3,
        after=AT_NS + 41 * 10**9,
        body=json.dumps(record, separators=(",", ":")),
    )


def test_a_long_function_error_is_cut() -> None:
    """A row has an end."""
    document = {**GIVEN_UP, "responseContext": {"functionError": "x" * 3_000}}
    assert len(rows.given_up(poison(), document, wait_s=0).error) == 2_000


def test_a_record_newer_than_its_document_waits_for_its_own_version() -> None:
    """The clock of its stream may be ahead."""
    record = stream_record(KEYS, {}, table=PRODUCTS, number=3, created_s=1_800_000_000)
    row = rows.given_up(record, GIVEN_UP, wait_s=41)
    assert row.after == row.version == 1_800_000_000 * 10**9 + 3


@pytest.mark.parametrize("record", [5, {"dynamodb": {"Keys": KEYS}}, {"eventID": ""}])
def test_a_record_without_table_or_keys_is_a_row_of_its_own(record: Any) -> None:
    """By what it holds, so that it is one row however often it comes."""
    row = rows.given_up(record, GIVEN_UP, wait_s=0)
    assert row.id == row.letter == digest("given-up", json.dumps(record, separators=(",", ":")))
    assert (row.table, row.version) == (None, 0)


def test_a_lost_range_says_what_writes_the_items_that_exist() -> None:
    """Of its records only the numbers are known."""
    row = rows.lost_range(GIVEN_UP)
    assert row == Row(
        id=row.letter,
        letter=digest("lost-range", STREAM, "shard-1", "1", "9"),
        kind="lost-range",
        first_at=AT,
        last_at=AT,
        table=PRODUCTS,
        error_class="RetryAttemptsExhausted",
        error="Lambda gave up on 9 records; only their sequence numbers are known. To write the "
        f"items that exist: python -m sync resync --table {PRODUCTS}",
        body=json.dumps(GIVEN_UP, separators=(",", ":")),
    )


# ── Invocations ───────────────────────────────────────────────────────────────────────────────────

INVOCATION: dict[str, Any] = {
    "timestamp": AT,
    "requestContext": {
        "requestId": "r-1",
        "functionArn": "arn:aws:lambda:us-east-1:1:function:admin:$LATEST",
        "condition": "RetriesExhausted",
    },
    "requestPayload": {"command": "recover"},
    "responsePayload": {
        "errorMessage": "x" * 3_000,
        "errorType": "ConfigError",
        "stackTrace": ["ab" + "c" * 7_998, "d"],
    },
}


def test_an_invocation_s_row_has_its_function_error_and_payload() -> None:
    """The end of its trace, and the start of its error."""
    assert rows.invocation(INVOCATION, NOW_S) == Row(
        id=digest("invocation", "r-1"),
        letter=digest("invocation", "r-1"),
        kind="invocation",
        first_at=AT,
        last_at=AT,
        target="arn:aws:lambda:us-east-1:1:function:admin:$LATEST",
        error_class="ConfigError",
        error="x" * 2_000,
        trace="b" + "c" * 7_998 + "d",
        body='{"command":"recover"}',
    )


@pytest.mark.parametrize("response", [None, {}, "text", {"stackTrace": "no list"}])
def test_an_invocation_without_an_answer_names_its_condition(response: Any) -> None:
    """As after a timeout; emulators leave out its id and its time."""
    document = {
        **INVOCATION,
        "requestContext": {"condition": "EventAgeExceeded"},
        "responsePayload": response,
    }
    del document["timestamp"]
    row = rows.invocation(document, NOW_S)
    assert (row.error_class, row.error, row.trace) == ("EventAgeExceeded", "EventAgeExceeded", None)
    assert (row.first_at, row.last_at, row.target) == (NOW, NOW, None)
    assert row.id == digest("invocation", json.dumps(document, separators=(",", ":")))


# ── Messages of the queues ────────────────────────────────────────────────────────────────────────


def test_a_parked_key_s_row_is_as_old_as_the_key() -> None:
    """Not as old as the message, which may hold keys of several ages."""
    old = Parked(Source(PRODUCTS, KEYS), 7, since_s=1_799_999_000.0)
    message = ParkedMessage("opensearch", (old,), 3, 1_799_999_900.0)
    (row,) = rows.parked(message.body(), "6", NOW_S)
    assert row == Row(
        id=row_id(PRODUCTS, KEYS, "opensearch"),
        letter=digest("parked", "1799999000.0", "3", "7"),
        kind="parked",
        first_at="2027-01-15T07:43:20.000Z",
        last_at=NOW,
        table=PRODUCTS,
        keys=KEYS,
        sink="opensearch",
        error_class="MessageFailed",
        error="its message was received 6 times and never handled; "
        "the log of the resync function says why",
        version=7,
        after=7,
        body=f'{{"table":"{PRODUCTS}","keys":{{"productId":{{"S":"p"}}}}}}',
    )


@pytest.mark.parametrize(("version", "after"), [(7, 1_800_000_041_500_000_000), (2**62, 2**62)])
def test_a_queued_action_s_row_waits_for_its_worker_s_last_request(
    version: int, after: int
) -> None:
    """And for its own version, if that is later."""
    action = Action("delete", "things", "d", None, version, Source(PRODUCTS, KEYS))
    assert rows.queued("typesense", action, "6", NOW_S, wait_s=41) == Row(
        id=row_id(PRODUCTS, KEYS, "typesense"),
        letter=digest("queued", "things", "d", str(version)),
        kind="queued",
        first_at=NOW,
        last_at=NOW,
        table=PRODUCTS,
        keys=KEYS,
        sink="typesense",
        target="things",
        document_id="d",
        error_class="MessageFailed",
        error="its message was received 6 times and never handled; "
        "the log of the function behind the queue says why",
        version=version,
        after=after,
        body=action.text(),
    )


@pytest.mark.parametrize(
    ("why", "error_class", "error"),
    [
        (None, "Unknown", "not a message that this queue is for"),
        (KeyError("id"), "KeyError", "'id'"),
        (ValueError("x" * 3_000), "ValueError", "x" * 2_000),
    ],
)
def test_any_other_message_is_kept_whole(
    why: Exception | None, error_class: str, error: str
) -> None:
    """A lone surrogate, which DynamoDB refuses, is escaped."""
    id_ = digest("unknown", "a\\ud800")
    assert rows.unknown("a\ud800", why, NOW_S, sink="typesense") == Row(
        id=id_,
        letter=id_,
        kind="unknown",
        first_at=NOW,
        last_at=NOW,
        sink="typesense",
        error_class=error_class,
        error=error,
        body="a\\ud800",
    )
