"""The bounds on effort are what their reasons say."""

import pytest

from tests.simulation.effort import most_tries, pauses


@pytest.mark.parametrize(
    ("down_s", "writes"), [(10, 1), (15, 2), (45, 3), (105, 4), (225, 5), (465, 6), (3600, 19)]
)
def test_a_breaker_lets_a_write_through_after_each_pause(down_s: float, writes: int) -> None:
    """Pauses of 15, 30, 60, 120 and then 240 seconds."""
    assert pauses(down_s) == writes


def test_tries_become_rarer_with_age() -> None:
    """One each 41 s at first; in an hour half of that; later four an hour."""
    hour = 3600.0
    assert most_tries(0.0, 0.0) == 1
    assert most_tries(410.0, 0.0) == pytest.approx(11)
    assert most_tries(hour, 0.0) < hour / 41 / 1.8
    assert most_tries(29 * hour, 0.0) - most_tries(5 * hour, 0.0) == pytest.approx(96)
