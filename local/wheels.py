"""Pinned Python packages for places of their own, outside .venv."""

import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

from local.errors import LocalError

# Two threads that call it first at once break each other: one sees its cache half filled (CPython
# 3.11). uv and others call it wherever they please, so this is where it is called first: an import
# is one thread's.
sysconfig.get_config_vars()


@cache
def uv() -> str:
    """The path of uv, which several threads may ask for. Raises LocalError."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise LocalError("uv is not installed in .venv: run `make setup`") from error


def install(requirements: Path, *where: str | Path) -> None:
    """Install *requirements*, every file checked against its hash; *where* is told to uv.

    Raises LocalError with what uv says.
    """
    pinned = ("--require-hashes", "--requirement", requirements, "--link-mode", "copy")
    run(requirements.name, uv(), "pip", "install", "--quiet", *pinned, *where)


def create_environment(directory: Path) -> None:
    """Make *directory* a virtual environment of the Python that runs us. Raises LocalError."""
    run(directory.name, uv(), "venv", "--quiet", "--python", sys.executable, directory)


def run(what: str, *argv: str | Path) -> None:
    """Run *argv* to its end. Raises LocalError, with what it printed, if it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        printed = (done.stderr or done.stdout).strip()
        raise LocalError(
            f"{what} could not be installed (exit code {done.returncode}; are network and room "
            f"on the disk there?): {printed}"
        )
