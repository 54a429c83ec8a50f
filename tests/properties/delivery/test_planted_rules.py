"""Wrong rules, each of which the tests must notice: the tests of the tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import Phase, given
from hypothesis import settings as checked

from local.delivery import filters, rules
from local.delivery.lane import Lane
from local.delivery.ports import Answered
from local.delivery.records import Record
from local.delivery.shards import Delivery
from tests.properties.delivery import test_laws
from tests.unit.local.delivery import test_filters, test_rules, test_shards

Test = Callable[[], None]


def law(test: Any) -> Test:
    """A Hypothesis test that looks for one history that breaks it, and doesn't make it small."""
    search = checked(
        deadline=None, max_examples=1000, phases=[Phase.generate], database=None, derandomize=True
    )
    found: Test = search(given(test_laws.HISTORIES)(test.hypothesis.inner_test))
    return found


EVERY_RECORD = law(test_laws.test_every_record_is_handled_or_named_once)
ITEM_ORDER = law(test_laws.test_no_record_overtakes_another_of_its_item)
BOUNDED = law(test_laws.test_invocations_are_bounded)

checkpoint = rules.checkpoint
failed_items = rules.failed_items
split = Lane.split
lane_of = Record.lane


def highest(answer: Answered, records: Sequence[Record], *, partial: bool) -> int | None:
    if not partial or answer.error or not (failed := failed_items(answer.body)):
        return checkpoint(answer, records, partial=partial)
    places = [at for at, one in enumerate(records) if one.sequence_number in failed]
    return max(places) if len(places) == len(set(failed)) else None


def unknown_is_success(answer: Answered, records: Sequence[Record], *, partial: bool) -> int | None:
    done = checkpoint(answer, records, partial=partial)
    if done is None and not answer.error and failed_items(answer.body):
        return len(records)
    return done


def checkpoint_included(
    answer: Answered, records: Sequence[Record], *, partial: bool
) -> int | None:
    done = checkpoint(answer, records, partial=partial)
    return None if done is None else min(done + 1, len(records))


def split_is_a_retry(lane: Lane, batch: Any, done: int | None) -> list[Any]:
    parts = split(lane, batch, done)
    for part in parts:
        part.failures += 1
        if rules.exhausted(part.failures, lane._settings.maximum_retry_attempts):
            return []  # falls through to a retry, which there is not
    return parts


def halves_swapped(lane: Lane, batch: Any, done: int | None) -> list[Any]:
    return split(lane, batch, done)[::-1]


@dataclass(frozen=True)
class Wrong:
    """A rule replaced by a wrong one, and the tests that have to fail on it."""

    owner: object
    name: str
    rule: object
    caught_by: tuple[Test, ...]


PLANTED = {
    "the highest returned number is the checkpoint": Wrong(
        rules,
        "checkpoint",
        highest,
        (test_rules.test_the_lowest_returned_number_is_the_checkpoint, EVERY_RECORD),
    ),
    "the failed record itself is skipped": Wrong(
        rules,
        "checkpoint",
        checkpoint_included,
        (test_rules.test_the_lowest_returned_number_is_the_checkpoint, EVERY_RECORD),
    ),
    "an unknown identifier is success": Wrong(
        rules,
        "checkpoint",
        unknown_is_success,
        (test_rules.test_an_unknown_identifier_fails_the_whole_batch, EVERY_RECORD),
    ),
    "a malformed body is success": Wrong(
        rules,
        "failed_items",
        lambda body: failed_items(body) or [],
        (test_rules.test_a_malformed_response_fails_the_whole_batch, EVERY_RECORD),
    ),
    "a split counts as a retry": Wrong(
        Lane,
        "split",
        split_is_a_retry,
        (
            test_rules.test_a_split_costs_no_retry,
            test_rules.test_a_record_alone_has_all_its_retries,
        ),
    ),
    "the later half goes first": Wrong(
        Lane,
        "split",
        halves_swapped,
        (test_rules.test_bisect_halves_a_failed_batch, ITEM_ORDER),
    ),
    "one retry too many": Wrong(
        rules,
        "exhausted",
        lambda failures, maximum: maximum >= 0 and failures > maximum + 1,
        (test_rules.test_retries_come_after_the_first_try, BOUNDED),
    ),
    "one retry too few": Wrong(
        rules,
        "exhausted",
        lambda failures, maximum: maximum >= 0 and failures >= maximum,
        (test_rules.test_retries_come_after_the_first_try,),
    ),
    "infinite retries are none": Wrong(
        rules,
        "exhausted",
        lambda failures, maximum: failures > maximum,
        (test_rules.test_infinite_retries_end_when_the_record_expires,),
    ),
    "nothing ever expires": Wrong(
        Lane,
        "_expiry",
        lambda lane, record: float("inf"),
        (
            test_rules.test_infinite_retries_end_when_the_record_expires,
            test_rules.test_a_record_beyond_the_maximum_age_is_not_sent,
        ),
    ),
    "numeric reads DynamoDB's numbers": Wrong(
        filters,
        "numeric",
        lambda bounds, value: all(
            filters._COMPARISONS[sign](float(value), bound)
            for sign, bound in zip(bounds[::2], bounds[1::2], strict=True)
        ),
        (test_filters.test_numeric_never_matches_a_dynamodb_number,),
    ),
    "lanes take records in turn": Wrong(
        Record,
        "lane",
        lambda record, factor: int(record.sequence_number) % factor,
        (test_shards.test_an_item_keeps_its_lane_and_its_order, ITEM_ORDER),
    ),
    "a child shard starts at once": Wrong(
        Delivery,
        "_begun",
        lambda delivery, shard: True,
        (test_shards.test_a_child_shard_waits_for_its_parent, ITEM_ORDER),
    ),
    "a document that did not arrive is forgotten": Wrong(
        Lane,
        "not_sent",
        lambda lane, now: lane.sent(),
        (test_rules.test_a_document_is_sent_again_but_not_for_ever,),
    ),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_wrong_rule_is_noticed(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wrong rule fails every test that is there for it; by itself, each of them passes."""
    wrong = PLANTED[bug]
    monkeypatch.setattr(wrong.owner, wrong.name, wrong.rule)
    for test in wrong.caught_by:
        with pytest.raises(AssertionError):
            test()
