"""The simulation would notice: each rule of recovery is dropped once, and that is caught."""

from collections.abc import Callable

import pytest

from tests.simulation.planted import BUGS, SEARCHED, Planted, caught, known
from tests.simulation.run import simulate


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught(bug: Callable[[], Planted]) -> None:
    """With the bug, the seed that is known to catch it fails, or else one of the first thousands;
    without it, that seed is right."""
    report = caught(bug, [known()[bug.__name__]]) or caught(bug, SEARCHED)
    assert report is not None
    assert simulate(report.seed).failure is None
    if report.seed != known()[bug.__name__]:
        print(f"{bug.__name__}: seed {report.seed} now; python -m tests.simulation --planted")
