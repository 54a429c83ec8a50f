"""What people see of a command that fails: one sentence that says why, and what to do.

Nothing but the standard library: it has to work where nothing else is installed.
"""

import errno
import socket
import sys
import tempfile
import traceback
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Final

from sync.errors import ConfigError, SyncError

ROOT: Final = Path(__file__).resolve().parents[2]
LOG: Final = ROOT / ".local" / "logs" / "errors.log"

_INTERRUPTED: Final = 130  # what a shell reports after Ctrl-C
_OURS: Final = frozenset(["sync", "local", "handler"])
# Packages whose errors are about servers and networks, not about whoever called them.
_NETWORK: Final = frozenset(["botocore", "httpcore", "httpx", "requests", "typesense", "urllib3"])
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError)
_NO_ANSWER: Final = "is the network there, and are the servers up?"
_IN_THE_WAY: Final = "something else is in the way there, move it"
_ADVICE: Final = {
    errno.ENOSPC: "free some room, and run it again",
    errno.EDQUOT: "free some room, and run it again",
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EACCES: "get leave, or choose another place: STREAM_SYNC_CACHE is for downloads",
    errno.EPERM: "it belongs to somebody else, who has to do this",
    errno.EROFS: "choose another place: STREAM_SYNC_CACHE is for downloads",
    errno.EADDRINUSE: "whatever else listens there has to stop",
    errno.EMFILE: "allow more open files: ulimit -n 4096",
    errno.ENOENT: "`git status` shows whether a file of the clone is gone, `make setup` installs "
    "what it needs",
    **dict.fromkeys(
        (
            *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE),
            *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT),
        ),
        _NO_ANSWER,
    ),
}


class Told(Exception):
    """Its message is a sentence for whoever runs a command."""


def run(module: str) -> int:
    """What `call` says of *module*'s `main`, or 1 where this Python lacks what it imports."""
    try:
        main: Callable[[], int] = import_module(module).main
    except Exception as error:
        return _fail(_unfit(error) or _sentence(error), error)
    return call(main)


def call(main: Callable[[], int]) -> int:
    """The exit code of *main*, or that of what it raises, which is told in a sentence.

    1: it can't be done now, 2: the call or a setting is wrong. What is neither about the machine
    nor told on purpose is a bug: its trace is written to a log, which the sentence names.
    """
    try:
        return main()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return _INTERRUPTED
    except (Told, SyncError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except Exception as error:
        return _fail(_sentence(error), error)


def _fail(sentence: str | None, error: Exception) -> int:
    kept = _keep(error)
    if sentence is None:
        sentence = f"a bug of this program, please report it: {type(error).__name__}: {error}"
    print(f"error: {sentence}{kept}", file=sys.stderr)
    return 1


def _keep(error: Exception) -> str:
    """Write the trace to a log; returns how to say where."""
    trace = "".join(traceback.format_exception(error))
    for log in (LOG, Path(tempfile.gettempdir()) / "stream-sync-errors.log"):
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {sys.argv}\n{trace}\n")
        except OSError:  # perhaps the very error that is to be told
            continue
        return f"\n       the trace is in {log}"
    return ""


def _unfit(error: Exception) -> str | None:
    """What to do if *error* says that the packages of this Python are not those needed."""
    missing = isinstance(error, ImportError) and (error.name or "").partition(".")[0] not in _OURS
    python = ROOT / ".venv" / "bin" / "python"
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        return f"{sys.executable} lacks what is needed ({error}): `make setup`, then use {python}"
    return f"{error}: `make setup` installs what is needed" if missing else None


def _sentence(error: Exception) -> str | None:
    """What is wrong and what to do, where it is about the machine; None for a bug."""
    if isinstance(error, _DAMAGED):
        return (
            f"a file is damaged ({error}): delete dist/ and what was downloaded, "
            "$STREAM_SYNC_CACHE or ~/.cache/stream-sync; both are made anew"
        )
    if type(error).__module__.partition(".")[0] in _NETWORK:
        return f"{' '.join(str(error).split()) or type(error).__name__}; {_NO_ANSWER}"
    if not isinstance(error, OSError):
        return None
    what = error.strerror or str(error) or type(error).__name__
    where = f" ({error.filename})" if error.filename else ""
    unknown = _NO_ANSWER if isinstance(error, socket.gaierror | TimeoutError) else "see to that"
    return f"{what}{where}: {_ADVICE.get(error.errno or 0, unknown)}"
