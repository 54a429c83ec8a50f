"""A copy of the service, changed by a test and run in a process of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.settings import ENV

ROOT = Path(__file__).parents[1]


def copy_to(folder: Path) -> None:
    """Put the service into *folder*, and the tests with it."""
    for name in ("sync", "mappings", "local", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("handler.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)


def python(copy: Path, *arguments: str, given: str = "") -> str:
    """What Python prints in *copy*, with *given* as its input; fails where Python does."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**ENV, "PATH": "/usr/bin:/bin"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
