"""What a seed is: one history, the same each time."""

import logging
import os
import random
import subprocess
import sys

import pytest

from tests.lengths import cases
from tests.simulation.run import simulate
from tests.simulation.scenario import KINDS, draw


@pytest.mark.soak
def test_a_seed_repeats_its_history_exactly() -> None:
    """The same seed gives the same events in another process, which hashes texts differently."""
    kinds: dict[str, list[int]] = {}
    for seed in range(1, 401):
        kinds.setdefault(draw(seed).kind, []).append(seed)
    assert kinds.keys() == KINDS.keys()
    each, mixed = cases(1, 5), cases(2, 20)
    seeds = [seed for of_kind in kinds.values() for seed in of_kind[:each]]
    seeds += kinds["mixed"][each : each + mixed]
    here = [simulate(seed).fingerprint for seed in seeds]
    program = (
        "from tests.simulation.run import simulate; "
        f"print(*[simulate(seed).fingerprint for seed in {seeds}])"
    )
    hash_seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    there = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split()
    assert here == there


def test_seeds_differ() -> None:
    """No two seeds tell the same story."""
    assert len({simulate(seed).fingerprint for seed in range(1, 11)}) == 10


def test_a_seed_leaves_no_trace_in_this_process() -> None:
    """The log, chance and the models are afterwards as they were."""
    level, state = logging.getLogger("sync").level, random.getstate()
    simulate(1)
    assert (level, state) == (logging.getLogger("sync").level, random.getstate())
