"""Lambda's rules for one lane, one test each."""

import json
from typing import Any

import pytest

from local.delivery import rules
from local.delivery.lane import Lane
from local.delivery.ports import Answered, NotInvoked
from local.delivery.rules import DESTINATION_TRIES, Backoff
from local.delivery.steps import Discard, Idle, Invoke, Wait
from tests.unit.local.delivery.lanes import (
    ERROR,
    FUNCTION,
    NOW,
    OK,
    STREAM,
    failed,
    lane,
    mapping,
    numbers,
    play,
    record,
    records,
)

DAY = 86_400


# ── Batches ───────────────────────────────────────────────────────────────────────────────────────


def test_without_a_window_records_go_at_once() -> None:
    """With no batching window the function is invoked as soon as there is a record (WD)."""
    assert play(lane(record(1))) == [[1]]


def test_a_batch_holds_at_most_the_batch_size() -> None:
    """Records beyond the batch size wait for the next batch (PR)."""
    assert play(lane(*records(1, 7), batch_size=3)) == [[1, 2, 3], [4, 5, 6], [7]]


def test_the_window_gathers_a_batch() -> None:
    """Until the window is over, an unfilled batch waits, and what comes meanwhile joins it (WD)."""
    one = lane(record(1), window_s=10)
    assert one.next(NOW) == Wait(NOW + 10)
    one.offer([record(2)], NOW + 9)
    assert one.next(NOW + 9.9) == Wait(NOW + 10)
    step = one.next(NOW + 10)
    assert isinstance(step, Invoke)
    assert numbers(step.records) == [1, 2]


def test_a_full_batch_does_not_wait_for_its_window() -> None:
    """The batch size ends the window early (WD)."""
    step = lane(*records(1, 3), batch_size=3, window_s=300).next(NOW)
    assert isinstance(step, Invoke)
    assert numbers(step.records) == [1, 2, 3]


def test_the_window_opens_when_its_first_record_is_read() -> None:
    """What is left over from a full batch has a window of its own, from when it was read."""
    one = lane(*records(1, 2), batch_size=3, window_s=10)
    one.offer(records(3, 4), NOW + 4)
    assert isinstance(one.next(NOW + 4), Invoke)
    one.answered(OK, NOW + 5)
    assert one.next(NOW + 5) == Wait(NOW + 14)


def test_the_payload_ends_a_batch_at_six_megabytes() -> None:
    """A batch's payload stays within 6 MB, and reaching them ends the window early (WD)."""
    big = [record(number, filler=1_500_000) for number in range(1, 6)]
    one = lane(*big, batch_size=100, window_s=300)
    step = one.next(NOW)
    assert isinstance(step, Invoke)
    assert numbers(step.records) == [1, 2, 3, 4]
    assert len(rules.payload(step.records)) <= rules.PAYLOAD_LIMIT_BYTES


def test_a_payload_of_exactly_six_megabytes_is_one_batch() -> None:
    """The limit is inclusive, and counts brackets and commas."""
    bare = len(rules.payload([record(1), record(2)]))
    first, second = record(1, filler=rules.PAYLOAD_LIMIT_BYTES - bare), record(2)
    assert len(rules.payload([first, second])) == rules.PAYLOAD_LIMIT_BYTES
    assert play(lane(first, second)) == [[1, 2]]
    assert play(lane(record(1, filler=rules.PAYLOAD_LIMIT_BYTES - bare + 1), second)) == [[1], [2]]


def test_a_record_beyond_the_limit_goes_alone() -> None:
    """Assumed: a record that fits no payload neither vanishes nor takes others with it."""
    huge = record(2, filler=rules.PAYLOAD_LIMIT_BYTES)
    assert play(lane(record(1), huge, record(3))) == [[1], [2], [3]]


def test_the_payload_is_lambdas_event() -> None:
    """A batch is the JSON object that a function receives (WD)."""
    batch = records(1, 2)
    assert json.loads(rules.payload(batch)) == {"Records": [one.event() for one in batch]}


def test_one_batch_at_a_time() -> None:
    """A lane has no next step while an invocation is at hand: its order depends on it (WD)."""
    one = lane(*records(1, 2), batch_size=1)
    one.next(NOW)
    assert one.invoking
    with pytest.raises(RuntimeError, match="shard-1"):
        one.next(NOW)


def test_records_offered_during_a_retry_wait_for_their_turn() -> None:
    """A failed batch is retried as it is, and nothing overtakes it (WD)."""
    one = lane(record(1))
    assert isinstance(one.next(NOW), Invoke)
    one.answered(ERROR, NOW)
    one.offer([record(2)], NOW)
    assert play(one) == [[1], [2]]


def test_an_idle_lane_says_so() -> None:
    """Nothing offered, nothing to do."""
    assert lane().next(NOW) == Idle()
    assert lane().idle


# ── Partial batch responses ───────────────────────────────────────────────────────────────────────


def test_the_lowest_returned_number_is_the_checkpoint() -> None:
    """Everything from the lowest returned number on is retried, whatever came out well (PB)."""
    trace = play(lane(*records(1, 5), partial_responses=True), failed(4, 2))
    assert trace == [[1, 2, 3, 4, 5], [2, 3, 4, 5]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"{}",
        b'{"batchItemFailures": null}',
        b'{"batchItemFailures": []}',
        b'{"statusCode": 200}',
    ],
)
def test_a_response_without_failures_is_success(body: bytes) -> None:
    """An empty or null response, or an empty or null list in it, means success (PB)."""
    assert play(lane(*records(1, 2), partial_responses=True), Answered(body)) == [[1, 2]]


MALFORMED: list[Any] = [
    {"batchItemFailures": [{"itemIdentifier": ""}]},
    {"batchItemFailures": [{"itemIdentifier": None}]},
    {"batchItemFailures": [{"itemId": "000000000000000000002"}]},
    {"batchItemFailures": [{"itemIdentifier": 2}]},
    {"batchItemFailures": [None]},
    {"batchItemFailures": "000000000000000000002"},
    {"batchItemFailures": [{"itemIdentifier": f"{2:021d}"}, {"itemIdentifier": ""}]},
    ["000000000000000000002"],
    "ok",
    True,
]


def test_a_malformed_response_fails_the_whole_batch() -> None:
    """A response that can't be read as a list of identifiers has said nothing good (PB)."""
    for body in [json.dumps(body).encode() for body in MALFORMED] + [b"{", b"\xff"]:
        trace = play(lane(*records(1, 3), partial_responses=True), Answered(body))
        assert trace == [[1, 2, 3], [1, 2, 3]], body


def test_an_unknown_identifier_fails_the_whole_batch() -> None:
    """A number that is not in the batch means that the response can't be trusted (PB)."""
    trace = play(lane(*records(1, 3), partial_responses=True), failed(3, 99))
    assert trace == [[1, 2, 3], [1, 2, 3]]


def test_the_response_counts_only_where_the_mapping_says_so() -> None:
    """Without ReportBatchItemFailures a returned list is not looked at (PB)."""
    assert play(lane(*records(1, 3)), failed(1)) == [[1, 2, 3]]
    assert play(lane(*records(1, 3)), Answered(b"{")) == [[1, 2, 3]]


def test_a_function_error_outweighs_its_body() -> None:
    """What a failed function returned is not a partial response."""
    error = Answered(b'{"batchItemFailures": []}', error="Unhandled")
    assert play(lane(*records(1, 2), partial_responses=True), error) == [[1, 2], [1, 2]]


# ── Retries ───────────────────────────────────────────────────────────────────────────────────────


def test_retries_come_after_the_first_try() -> None:
    """MaximumRetryAttempts n means n + 1 invocations, then the batch is discarded (ER, PR)."""
    for attempts in (0, 1, 3):
        trace = play(lane(record(1), maximum_retry_attempts=attempts), *[ERROR] * 9)
        assert trace == [*[[1]] * (attempts + 1), {"RetryAttemptsExhausted": [1]}]


def test_after_a_discarded_batch_the_shard_moves_on() -> None:
    """Records behind a batch that was given up are delivered (ER)."""
    trace = play(lane(*records(1, 2), batch_size=1, maximum_retry_attempts=0), ERROR)
    assert trace == [[1], {"RetryAttemptsExhausted": [1]}, [2]]


def test_infinite_retries_end_when_the_record_expires() -> None:
    """With -1 a bad record blocks its lane until the stream's 24 hours are over (PR, ER)."""
    one = Lane(mapping(batch_size=1), "shard-1", backoff=Backoff(3600, 3600))
    one.offer([record(1), record(2, created_s=NOW + DAY)], NOW)
    trace = play(one, *[ERROR] * 24)
    assert trace == [*[[1]] * 24, {"RecordAgeExceeded": [1]}, [2]]


def test_retries_used_survive_a_partial_success() -> None:
    """Assumed: without bisect, progress by a partial response does not give retries back."""
    one = lane(*records(1, 3), partial_responses=True, maximum_retry_attempts=1)
    trace = play(one, failed(2), failed(3))
    assert trace == [[1, 2, 3], [2, 3], {"RetryAttemptsExhausted": [3]}]


def test_a_function_that_was_not_invoked_uses_no_retry() -> None:
    """Throttling and the like are retried until the record is too old (ER, before invocation)."""
    away = NotInvoked("throttled")
    trace = play(lane(record(1), maximum_retry_attempts=0), *[away] * 50)
    assert trace == [[1]] * 51


def test_retries_wait_longer_each_time_up_to_a_limit() -> None:
    """Assumed: the pause doubles with each try of the same records."""
    one = Lane(mapping(), "shard-1", backoff=Backoff(first_s=1, cap_s=5))
    one.offer([record(1)], NOW)
    pauses, now = [], float(NOW)
    for _ in range(5):
        assert isinstance(one.next(now), Invoke)
        one.answered(ERROR, now)
        step = one.next(now)
        assert isinstance(step, Wait)
        pauses.append(step.until - now)
        now = step.until
    assert pauses == [1, 2, 4, 5, 5]


# ── Bisect ────────────────────────────────────────────────────────────────────────────────────────


def test_bisect_halves_a_failed_batch() -> None:
    """On an error the batch goes again in two halves, the earlier one first (ER)."""
    assert play(lane(*records(1, 5), bisect=True), ERROR) == [[1, 2, 3, 4, 5], [1, 2], [3, 4, 5]]


def test_a_split_costs_no_retry() -> None:
    """With no retries at all, bisect still isolates the one bad record (ER)."""
    one = lane(*records(1, 4), bisect=True, maximum_retry_attempts=0)
    trace = play(one, ERROR, OK, ERROR, ERROR)
    assert trace == [[1, 2, 3, 4], [1, 2], [3, 4], [3], {"RetryAttemptsExhausted": [3]}, [4]]


def test_a_record_alone_has_all_its_retries() -> None:
    """What can't be split further is retried as often as any batch (ER)."""
    one = lane(*records(1, 2), bisect=True, maximum_retry_attempts=2)
    trace = play(one, ERROR, ERROR, ERROR, ERROR)
    assert trace == [[1, 2], [1], [1], [1], {"RetryAttemptsExhausted": [1]}, [2]]


def test_with_a_partial_response_the_split_is_at_the_returned_number() -> None:
    """The rest goes again from that number on, and no retry is used (PB)."""
    settings = {"bisect": True, "partial_responses": True, "maximum_retry_attempts": 0}
    trace = play(lane(*records(1, 4), **settings), failed(2), failed(4))
    assert trace == [[1, 2, 3, 4], [2, 3, 4], [4]]


def test_a_number_at_the_head_splits_nothing_and_is_a_retry() -> None:
    """Nothing lies before the first record: the same batch again counts, or it would not end."""
    settings = {"bisect": True, "partial_responses": True, "maximum_retry_attempts": 1}
    trace = play(lane(*records(1, 2), **settings), failed(1), failed(1))
    assert trace == [[1, 2], [1, 2], {"RetryAttemptsExhausted": [1, 2]}]


def test_bisect_halves_on_an_error_even_with_partial_responses() -> None:
    """The batch is bisected whatever ReportBatchItemFailures says (PB)."""
    trace = play(lane(*records(1, 2), bisect=True, partial_responses=True), ERROR)
    assert trace == [[1, 2], [1], [2]]


def test_halves_are_tried_at_once() -> None:
    """Assumed: a split is no retry and does not wait like one."""
    one = lane(*records(1, 2), bisect=True)
    one.next(NOW)
    one.answered(ERROR, NOW)
    step = one.next(NOW)
    assert isinstance(step, Invoke)
    assert numbers(step.records) == [1]


# ── Age ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_beyond_the_maximum_age_is_not_sent() -> None:
    """The maximum age is that of a record Lambda sends; older ones are discarded unsent (PR)."""
    one = lane(record(1, created_s=NOW - 61), record(2), maximum_record_age_s=60)
    assert play(one) == [{"RecordAgeExceeded": [1]}, [2]]


def test_a_batch_that_ages_during_its_retries_is_discarded() -> None:
    """Retries stop when the records are too old, whatever is left of them (ER)."""
    one = Lane(mapping(maximum_record_age_s=60), "shard-1", backoff=Backoff(30, 30))
    one.offer([record(1), record(2, created_s=NOW + 40)], NOW)
    trace = play(one, ERROR, ERROR, ERROR, ERROR)
    assert trace == [
        [1, 2],
        [1, 2],
        {"RecordAgeExceeded": [1]},
        [2],
        [2],
        {"RecordAgeExceeded": [2]},
    ]


def test_an_age_beyond_retention_is_retention() -> None:
    """No setting keeps a record longer than the stream does: 24 hours (PR)."""
    one = lane(record(1, created_s=NOW - DAY), maximum_record_age_s=604_800)
    assert play(one) == [{"RecordAgeExceeded": [1]}]


# ── On-failure document ───────────────────────────────────────────────────────────────────────────


def test_the_document_has_lambdas_shape() -> None:
    """Metadata only, field for field as the guide shows it (ER)."""
    one = lane(record(1), record(2, created_s=NOW + 3), maximum_retry_attempts=0)
    one.next(NOW + 5)
    one.answered(ERROR, NOW + 5.25)
    step = one.next(NOW + 5.25)
    assert isinstance(step, Discard)
    assert step.discarded.document == {
        "requestContext": {
            "requestId": "error",
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2027-01-15T08:00:05.250Z",
        "DDBStreamBatchInfo": {
            "shardId": "shard-1",
            "startSequenceNumber": f"{1:021d}",
            "endSequenceNumber": f"{2:021d}",
            "approximateArrivalOfFirstRecord": "2027-01-15T08:00:00Z",
            "approximateArrivalOfLastRecord": "2027-01-15T08:00:03Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }


def test_a_reported_failure_is_no_function_error() -> None:
    """A function that ran and named its failures has a null functionError."""
    one = lane(record(1), partial_responses=True, maximum_retry_attempts=0)
    one.next(NOW)
    one.answered(failed(1), NOW)
    step = one.next(NOW)
    assert isinstance(step, Discard)
    assert step.discarded.document["responseContext"]["functionError"] is None


def test_a_document_is_sent_again_but_not_for_ever() -> None:
    """A destination that can't be told is told later, the same once, and the lane waits for it;
    after some tries the document is lost, and the lane moves on."""
    one = lane(*records(1, 3), batch_size=1, maximum_retry_attempts=0)
    one.next(NOW)
    one.answered(ERROR, NOW)
    first = one.next(NOW)
    assert not one.not_sent(NOW)
    waiting = one.next(NOW)
    assert isinstance(waiting, Wait)
    assert one.next(waiting.until) == first
    one.sent()
    one.next(NOW)
    one.answered(ERROR, NOW)
    assert isinstance(one.next(NOW), Discard)
    assert [one.not_sent(NOW) for _ in range(DESTINATION_TRIES)] == [False, False, True]
    assert play(one) == [[3]]
