"""The first command of a fresh machine, in processes as fresh as the machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import ROOT
from tests.lengths import cases

# What a stack that comes up does at once: it installs the emulator, and packages the service.
AT_ONCE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from threading import Barrier
from local import package
from local.downloads import wheels

both = Barrier(2)

def run(part, *args):
    both.wait()
    part(*args)

with ThreadPoolExecutor(2) as pool:
    parts = (wheels.create_environment, Path(sys.argv[1])), (package._find_python, "3.12")
    for running in [pool.submit(run, *part) for part in parts]:
        running.result()
"""
TIMES = cases(5, 20)  # without the mend some nine of ten fail


@pytest.mark.soak
def test_parts_that_start_at_once_do_not_break_each_other(tmp_path: Path) -> None:
    """Whatever each of them is the first to call."""
    for n in range(TIMES):
        argv = [sys.executable, "-c", AT_ONCE, str(tmp_path / f"{n}")]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"process {n + 1} of {TIMES}: {done.stderr}"
