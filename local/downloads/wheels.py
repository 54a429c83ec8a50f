"""Installs pinned Python packages into environments and directories other than .venv."""

import functools
import hashlib
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from local.downloads import cache
from local.errors import LocalError

# If the first two calls come from two threads, one of them sees a half-filled cache and fails
# (CPython 3.11). uv and others call it at any time, so the first call is made here: only one thread
# runs an import.
sysconfig.get_config_vars()


@functools.cache
def uv() -> str:
    """The path of uv. Several threads may call this. Raises LocalError."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise LocalError("uv is not installed in .venv: run `make setup`") from error


def install(requirements: Path, *where: str | Path) -> None:
    """Install the file *requirements*, and check every download against its hash.

    *where* holds uv's options for the place. Raises LocalError with the output of uv.
    """
    pinned = ("--require-hashes", "--requirement", requirements, "--link-mode", "copy")
    run(requirements.name, uv(), "pip", "install", "--quiet", *pinned, *where)


def environment(name: str, requirements: Path, starting: Callable[[], None]) -> Path:
    """The directory of programs of a virtual environment that has *requirements*.

    It is installed into the cache on first use, which begins with *starting*. Its Python is the one
    that runs us, so another Python gets another environment. Raises LocalError.
    """
    python = f"{sys.version}{sys.base_prefix}".encode()
    key = hashlib.sha256(requirements.read_bytes() + python).hexdigest()[:12]
    directory = cache.directory() / f"{name}-{key}"
    with cache.install(directory) as new:
        if new:
            starting()
            create_environment(new)
            install(requirements, "--python", new / "bin" / "python")
    return directory / "bin"


def create_environment(directory: Path) -> None:
    """Create a virtual environment of the running Python in *directory*. Raises LocalError."""
    run(directory.name, uv(), "venv", "--quiet", "--python", sys.executable, directory)


def run(what: str, *argv: str | Path) -> None:
    """Run *argv* and wait for it. Raises LocalError with its output if it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        printed = (done.stderr or done.stdout).strip()
        raise LocalError(
            f"{what} could not be installed (exit code {done.returncode}; are network and room "
            f"on the disk there?): {printed}"
        )
