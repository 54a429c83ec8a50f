"""Some histories last for days or weeks, and meet what only time brings."""

from collections import Counter
from itertools import count, islice

import pytest

from tests.simulation.run import simulate
from tests.simulation.scenario import draw


@pytest.mark.soak
@pytest.mark.parametrize(
    ("kind", "met", "seeds"),
    [
        ("weeks", "tombstone expired", 12),
        ("weeks", "letter replayed after a day", 12),
        ("down for weeks", "parked key expired", 2),
        ("trimmed", "records trimmed", 4),
        ("stuck for a day", "given up: RecordAgeExceeded", 3),
    ],
)
def test_a_kind_of_history_lasts_long_enough(kind: str, met: str, seeds: int) -> None:
    """Each kind meets what it is for, and ends well."""
    fired: Counter[tuple[str, str]] = Counter()
    for seed in islice((seed for seed in count(1) if draw(seed).kind == kind), seeds):
        report = simulate(seed)
        assert report.failure is None
        fired += report.fired
    assert fired["world", met] > 0
