"""Pinned Python packages for places of their own, outside .venv."""

import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from local.errors import LocalError


def install(requirements: Path, *where: str | Path) -> None:
    """Install *requirements*, every file checked against its hash; *where* is told to uv.

    Raises LocalError with what uv says.
    """
    pinned = ("--require-hashes", "--requirement", requirements, "--link-mode", "copy")
    run(requirements.name, find_uv_bin(), "pip", "install", "--quiet", *pinned, *where)


def create_environment(directory: Path) -> None:
    """Make *directory* a virtual environment of the Python that runs us. Raises LocalError."""
    run(directory.name, find_uv_bin(), "venv", "--quiet", "--python", sys.executable, directory)


def run(what: str, *argv: str | Path) -> None:
    """Run *argv* to its end. Raises LocalError, with what it printed, if it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        printed = (done.stderr or done.stdout).strip()
        raise LocalError(f"{what} could not be installed (exit code {done.returncode}): {printed}")
