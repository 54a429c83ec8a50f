"""Many seeds, each a history of its own with faults at every call: all end well."""

import os
import subprocess
import sys

import pytest

from tests.asked import unknown
from tests.simulation.cli import progress, run_many, table, tell
from tests.simulation.run import simulate
from tests.simulation.scenario import KINDS, draw

SEEDS = int(os.environ.get("SEEDS", "5000"))
FULL = 5000  # from so many on, every fault has to have fired often


def test_every_sink_equals_the_table_whatever_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """After writes and faults stop and dead letters are replayed, nothing differs in any seed."""
    with capsys.disabled():
        total = run_many(range(1, SEEDS + 1), 2, progress())
        print(f"\n{table(total.fired)}\n{total}")
    assert [tell(report) for report in total.failures] == []
    assert unknown(total.asked) == []
    assert total.fewest_writes >= 50
    assert total.fewest_keys >= 5
    if SEEDS >= FULL:
        assert {fault: n for fault, n in total.fired.items() if n < 100} == {}


def test_a_seed_repeats_its_history_exactly() -> None:
    """The same seed gives the same events in another process, which hashes texts differently."""
    kinds: dict[str, list[int]] = {}
    for seed in range(1, 301):
        kinds.setdefault(draw(seed).kind, []).append(seed)
    assert kinds.keys() == KINDS.keys()
    seeds = [seed for of_kind in kinds.values() for seed in of_kind[:5]] + kinds["mixed"][5:20]
    here = [simulate(seed).fingerprint for seed in seeds]
    program = (
        "from tests.simulation.run import simulate; "
        f"print(*[simulate(seed).fingerprint for seed in {seeds}])"
    )
    there = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split()
        for hash_seed in ("1", "2")
    ]
    assert [here, here] == there


def test_seeds_differ() -> None:
    """No two seeds tell the same story."""
    assert len({simulate(seed).fingerprint for seed in range(1, 11)}) == 10


def test_a_seed_leaves_no_trace_in_this_process() -> None:
    """The log, chance and the models are afterwards as they were."""
    import logging
    import random

    level, state = logging.getLogger("sync").level, random.getstate()
    simulate(1)
    assert (level, state) == (logging.getLogger("sync").level, random.getstate())
