"""Where the local stack keeps what it downloads and what it writes."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

from local.errors import LocalError

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"  # logs and results of this clone; safe to delete when the stack is down
_ROOTS_CACHE = Path("/var/cache/stream-sync")
_PREFIX = "stream-sync-"
_HELD = ".held"  # a file in each scratch directory, locked while the process that made it lives
_held: dict[Path, IO[str]] = {}


def server_user() -> str | None:
    """The user that servers run as: OpenSearch refuses root, so root's run as nobody."""
    return "nobody" if os.geteuid() == 0 else None


def reachable(path: Path) -> bool:
    """Whether the server user can enter *path*, which may not exist yet."""
    if server_user() is None:
        return True
    path = path.resolve()
    return all(p.stat().st_mode & 0o001 for p in (path, *path.parents) if p.exists())


def cache() -> Path:
    """The directory for downloads: $STREAM_SYNC_CACHE, else ~/.cache/stream-sync.

    For root, whose servers run as nobody, it is opened to all; where a parent such as /root bars
    the way, /var/cache/stream-sync serves instead. Raises LocalError where it can't be made.
    """
    chosen = os.environ.get("STREAM_SYNC_CACHE")
    directory = Path(chosen).resolve() if chosen else Path.home() / ".cache" / "stream-sync"
    if not reachable(directory.parent):
        directory = _ROOTS_CACHE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if server_user() is not None:
            directory.chmod(0o755)
    except OSError as error:
        raise LocalError(
            f"{directory} can't be where downloads go ({error.strerror}): name another directory "
            "in STREAM_SYNC_CACHE"
        ) from error
    return directory


def scratch(name: str) -> Path:
    """A new empty directory for one run of a server, which the server user can reach.

    Gone with `discard`; what a killed process could not discard, the next call does.
    """
    base = STATE / "run"
    if reachable(base):
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
    if server_user() is not None:
        directory.chmod(0o755)
    return directory


def discard(directory: Path) -> None:
    """Remove what `scratch` returned."""
    with _alone_in(directory.parent):  # or another's `scratch` may find it half gone
        shutil.rmtree(directory)
        _held.pop(directory).close()


def _alone_in(base: Path) -> AbstractContextManager[None]:
    """Nobody else makes or removes scratch directories in *base* meanwhile."""
    return locked(base / f"{_PREFIX}lock")


@contextmanager
def install(directory: Path) -> Iterator[Path | None]:
    """Fill *directory* once, whole or not at all, however many processes want it.

    Yields an empty directory to fill, which takes its name when the block ends well; or None,
    when *directory* is there already. Others wait meanwhile.
    """
    if directory.exists():
        yield None
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with locked(directory.parent / f".{directory.name}.lock"):
        if directory.exists():
            yield None
            return
        unfinished = directory.parent / f".{directory.name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)  # left by one that was killed
        unfinished.mkdir()
        try:
            yield unfinished
            _open_to_all(unfinished)
            unfinished.rename(directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold *path*, a file made for it in a directory that exists, alone; others wait meanwhile."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go by the kernel, even if we are killed
        yield


def _open_to_all(tree: Path) -> None:
    """Let every user read *tree*, whatever the umask was: nobody has to."""
    for directory, _, names in os.walk(tree):
        for path in (Path(directory), *(Path(directory, name) for name in names)):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
