"""Waiting before a retry."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Misconfigured, Unavailable
from sync.runtime.deadline import Deadline
from sync.runtime.retry import full_jitter, persist


@given(retry=st.integers(1, 10_000), base_s=st.floats(0.001, 10), cap_s=st.floats(0.001, 100))
def test_a_wait_lies_between_nothing_and_a_doubling_ceiling(
    retry: int, base_s: float, cap_s: float
) -> None:
    """Never beyond the cap, however many retries there were."""
    ceiling = min(cap_s, base_s * 2.0 ** min(retry - 1, 64))
    assert 0 <= full_jitter(retry, base_s=base_s, cap_s=cap_s) <= ceiling


def test_waits_are_spread_over_all_of_it() -> None:
    """Clients that failed together come back apart: each tenth of the span gets some."""
    tenths = {int(full_jitter(5, base_s=1, cap_s=10)) for _ in range(1_000)}
    assert tenths == set(range(10))


def test_the_ceiling_grows() -> None:
    """A later retry waits longer, as a rule."""
    first = max(full_jitter(1) for _ in range(200))
    third = max(full_jitter(3) for _ in range(200))
    assert first <= 0.1 < third <= 0.4


def patient(slept: list[float], seconds: float = 60) -> Deadline:
    return Deadline(seconds, clock=lambda: 0.0, sleep=slept.append)


def failing(times: int, error: Exception) -> Callable[[], int]:
    """Raises *error* so many times, then returns how often it was called."""
    calls: list[int] = []

    def ask() -> int:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return len(calls)

    return ask


def test_a_request_is_repeated_until_it_succeeds() -> None:
    """With a pause before each but the first; a first success has none."""
    slept: list[float] = []
    assert persist(failing(2, Unavailable("503")), patient(slept), tries=3) == 3
    assert len(slept) == 2
    assert persist(failing(0, Unavailable("503")), patient(slept), tries=3) == 1
    assert len(slept) == 2


def test_the_last_try_raises() -> None:
    """The error of that try."""
    slept: list[float] = []
    with pytest.raises(Unavailable, match="503"):
        persist(failing(3, Unavailable("503")), patient(slept), tries=3)
    assert len(slept) == 2


def test_a_wrong_setting_is_not_tried_again() -> None:
    """No second try mends it."""
    slept: list[float] = []
    with pytest.raises(Misconfigured):
        persist(failing(1, Misconfigured("no alias")), patient(slept), tries=3)
    assert slept == []


def test_without_time_for_a_pause_the_error_is_raised() -> None:
    """At once."""
    with pytest.raises(Unavailable):
        persist(failing(1, Unavailable("503")), patient([], 0), tries=3)
