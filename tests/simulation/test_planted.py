"""The simulation would notice: each rule of recovery is dropped once, and that is caught."""

from collections.abc import Callable

import pytest

from tests.simulation.planted import BUGS, Planted, caught
from tests.simulation.run import simulate


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught_within_a_thousand_seeds(bug: Callable[[], Planted]) -> None:
    """With the bug, one of the first thousand seeds fails; without it, that seed is right."""
    report = caught(bug, range(1, 1001))
    assert report is not None
    print(f"{bug.__name__}: seed {report.seed}: {report.failure}")
    assert simulate(report.seed).failure is None
