"""Waiting before a retry."""

from hypothesis import given
from hypothesis import strategies as st

from sync.runtime.retry import full_jitter


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
