"""The directory for downloads, and how something is installed into it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import paths
from local.errors import LocalError
from local.locks import locked

_ROOTS = Path("/var/cache/stream-sync")


def directory() -> Path:
    """The directory for downloads: $STREAM_SYNC_CACHE, else ~/.cache/stream-sync.

    Root's servers run as nobody, so root's cache is opened to all users. If nobody cannot enter a
    parent directory, such as /root, the cache is /var/cache/stream-sync instead. Raises LocalError
    if the directory can't be created.
    """
    chosen = os.environ.get("STREAM_SYNC_CACHE")
    found = Path(chosen).resolve() if chosen else Path.home() / ".cache" / "stream-sync"
    if not paths.reachable(found.parent):
        found = _ROOTS
    try:
        found.mkdir(parents=True, exist_ok=True)
        if paths.server_user() is not None:
            found.chmod(0o755)
    except OSError as error:
        raise LocalError(
            f"{found} can't be where downloads go ({error.strerror}): name another directory "
            "in STREAM_SYNC_CACHE"
        ) from error
    return found


@contextmanager
def install(wanted: Path) -> Iterator[Path | None]:
    """Fill the directory *wanted* once, completely or not at all, whoever else tries to.

    Yields an empty directory to fill, which is renamed to *wanted* if the block succeeds. Yields
    None if *wanted* exists already. While one process installs, the others wait.
    """
    if wanted.exists():
        yield None
        return
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with locked(wanted.parent / f".{wanted.name}.lock"):
        if wanted.exists():
            yield None
            return
        unfinished = wanted.parent / f".{wanted.name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
        unfinished.mkdir()
        try:
            yield unfinished
            _open_to_all(unfinished)
            unfinished.rename(wanted)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _open_to_all(tree: Path) -> None:
    """Let every user read *tree*, whatever the umask was: the server user has to."""
    for parent, _, names in os.walk(tree):
        for path in (Path(parent), *(Path(parent, name) for name in names)):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
