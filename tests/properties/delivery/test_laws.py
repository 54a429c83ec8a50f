"""What holds for any history of successes, failures and malformed answers."""

from hypothesis import given
from hypothesis import settings as checked
from hypothesis import strategies as st

from tests.properties.delivery.histories import Answer, History, Play
from tests.unit.local.delivery.lanes import mapping

ANSWERS = st.one_of(
    st.sampled_from(["ok", "error", "unknown", "nameless", "malformed", "away"]).map(Answer),
    st.lists(st.integers(0, 11), min_size=1, max_size=3).map(
        lambda at: Answer("partial", tuple(at))
    ),
)

SETTINGS = st.builds(
    mapping,
    batch_size=st.integers(1, 6),
    window_s=st.sampled_from([0, 5]),
    partial_responses=st.booleans(),
    bisect=st.booleans(),
    maximum_retry_attempts=st.integers(-1, 3),
    maximum_record_age_s=st.sampled_from([-1, 600, 604_800]),
    parallelization_factor=st.integers(1, 3),
)

HISTORIES = st.builds(
    History,
    settings=SETTINGS,
    shards=st.lists(st.lists(st.sampled_from("abcd"), max_size=8).map(tuple), max_size=3).map(
        tuple
    ),
    answers=st.lists(ANSWERS, max_size=12).map(tuple),
    forever=st.booleans(),
    choices=st.lists(st.integers(0, 9), max_size=8).map(tuple),
)


@checked(deadline=None, max_examples=300)
@given(HISTORIES)
def test_every_record_is_handled_or_named_once(history: History) -> None:
    """A record is handled by the function at least once, or named in exactly one document."""
    account = Play(history).run()
    assert len(account.offered) == sum(map(len, history.shards))
    lost = [one for one in account.offered if one not in account.handled | account.named.keys()]
    assert lost == []
    assert [one for one, times in account.named.items() if times > 1] == []


@checked(deadline=None, max_examples=300)
@given(HISTORIES)
def test_no_record_overtakes_another_of_its_item(history: History) -> None:
    """A record is first delivered after the ones before it were handled or failed for good."""
    assert Play(history).run().overtaken == []


@checked(deadline=None, max_examples=300)
@given(HISTORIES)
def test_invocations_are_bounded(history: History) -> None:
    """Batches, splits and retries are finite, and no more than the settings allow."""
    account = Play(history).run()
    total, retries = len(account.offered), history.settings.maximum_retry_attempts
    if not history.forever:
        assert account.called <= len(history.answers) + total
    if retries >= 0 and not history.settings.bisect:
        assert account.answered <= total * (1 + retries)
    elif retries >= 0:  # halving n records makes 2 n - 1 batches, each with a try that splits it
        assert account.answered <= 2 * total * (2 + retries)
