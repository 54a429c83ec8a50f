"""A copy of the service, changed by a test and run in a process of its own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.settings import ENV

ROOT = Path(__file__).parents[1]
_NONE: Final[Mapping[str, str]] = {}


def copy_to(folder: Path) -> None:
    """Put the service into *folder*, and the tests with it."""
    for name in ("sync", "mappings", "local", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("handler.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)


def add(copy: Path, path: str, text: str) -> None:
    """Put a file into *copy* where none is."""
    with (copy / path).open("x") as file:
        file.write(text)


def python(
    copy: Path, *arguments: str, given: str = "", env: Mapping[str, str] = _NONE, code: int = 0
) -> str:
    """What Python prints in *copy*, with *given* as input; fails unless it exits with *code*."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**ENV, "PATH": "/usr/bin:/bin", **env},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def serve(copy: Path, *steps: Any, env: Mapping[str, str] = _NONE) -> list[dict[str, Any]]:
    """What the handler of *copy* makes of *steps*, one after another (tests/served.py)."""
    said = python(copy, "-m", "tests.served", given=json.dumps(steps), env=env)
    found: list[dict[str, Any]] = json.loads(said.splitlines()[-1])
    return found
