"""Locks between processes, each on a file. The kernel releases them even if we are killed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.errors import LocalError


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file *path*, and wait for it if another process holds it.

    The file is created; its directory must exist.
    """
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def sole_stack(path: Path) -> Iterator[None]:
    """Hold the lock file *path* for the one stack of this clone.

    Raises LocalError, with the id of the process, if another process holds it.
    """
    path.parent.mkdir(exist_ok=True)
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            raise LocalError(
                f"a stack of this clone runs already (process {holder}): `make down` stops it"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)
