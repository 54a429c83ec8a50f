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
from tests.simulation.whole_drawn import KIND


@pytest.mark.soak
def test_a_seed_gives_the_same_trace_to_the_byte() -> None:
    """Seeds of every kind, run in two processes that hash texts differently, leave equal traces."""
    kinds: dict[str, list[int]] = {}
    for seed in range(1, 601):
        kinds.setdefault(draw(seed).kind, []).append(seed)
    assert kinds.keys() == {*KINDS, KIND}
    each, mixed = cases(1, 5), cases(2, 20)
    seeds = [seed for of_kind in kinds.values() for seed in of_kind[:each]]
    seeds += kinds["mixed"][each : each + mixed]
    program = (
        "from tests.simulation.run import simulate\n"
        f"for seed in {seeds}:\n"
        "    report = simulate(seed, trace=True)\n"
        "    print(*report.trace, report.fingerprint, sep='\\n')\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-X", "utf8", "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
        )
        for hash_seed in ("1", "2")
    ]
    traces = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert traces[0].count(b"\n") > 100 * len(seeds)
    assert traces[0] == traces[1]


def test_seeds_differ() -> None:
    """No two seeds tell the same story."""
    assert len({simulate(seed).fingerprint for seed in range(1, 11)}) == 10


def test_a_seed_leaves_no_trace_in_this_process() -> None:
    """The log, chance and the models are afterwards as they were."""
    level, state = logging.getLogger("sync").level, random.getstate()
    simulate(1)
    assert (level, state) == (logging.getLogger("sync").level, random.getstate())
