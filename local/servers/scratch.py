"""A directory for each run of a server, removed afterwards even if the process was killed."""

import fcntl
import shutil
import tempfile
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO

from local import paths
from local.locks import locked

_PREFIX = "stream-sync-"
_HELD = ".held"  # a file in each scratch directory, locked while anyone may write there
_held: dict[Path, IO[str]] = {}


def create(name: str) -> Path:
    """A new empty directory, which the server user can enter; `discard` removes it.

    Also removes the directories of processes that were killed before they could discard theirs,
    once the servers that wrote there have ended, too.
    """
    base = paths.STATE / "run"
    if paths.reachable(base):
        base.mkdir(parents=True, exist_ok=True)
    else:
        base = Path(tempfile.gettempdir())
    with _alone_in(base):
        for left in base.glob(f"{_PREFIX}*/{_HELD}"):
            with left.open("r") as held, suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left.parent)
        directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{name}-", dir=base))
        _held[directory] = held = (directory / _HELD).open("w")
        fcntl.flock(held, fcntl.LOCK_EX)
    if paths.server_user() is not None:
        directory.chmod(0o755)
    return directory


def discard(directory: Path) -> None:
    """Remove a directory that `create` returned."""
    with _alone_in(directory.parent):  # otherwise another `create` may find it half removed
        shutil.rmtree(directory)
        _held.pop(directory).close()


def locks(directory: Path | None) -> tuple[int, ...]:
    """The descriptors that a child process inherits to keep *directory* from being swept.

    A server outlives an owner that was killed, by the seconds that its guard needs to end it.
    There are none for a directory that `create` has not returned.
    """
    held = None if directory is None else _held.get(directory)
    return () if held is None else (held.fileno(),)


def _alone_in(base: Path) -> AbstractContextManager[None]:
    """Keep other processes from creating or removing scratch directories in *base*."""
    return locked(base / f"{_PREFIX}lock")
