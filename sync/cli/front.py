"""Reports a command that fails, in one sentence: why it failed, and what to do.

Imports only the standard library: it has to work where no package is installed.
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
# Packages whose errors mean that a server or network fails, not that there is a bug here.
_NETWORK: Final = frozenset(["botocore", "httpcore", "httpx", "requests", "typesense", "urllib3"])
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError)
_NO_ANSWER: Final = "is the network there, and are the servers up?"
_CORRECT: Final = "correct that, and run it again"
_IN_THE_WAY: Final = "something else is in the way there, move it"
_ADVICE: Final = {
    errno.ENOSPC: "free some room, and run it again",
    errno.EDQUOT: "free some room, and run it again",
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.EACCES: "get permission, or choose another place: STREAM_SYNC_CACHE is for downloads",
    errno.EPERM: "its owner has to do this",
    errno.EROFS: "choose another place: STREAM_SYNC_CACHE is for downloads",
    errno.EADDRINUSE: "stop the process that listens there",
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


class CommandError(Exception):
    """Its message is a sentence for the person who runs the command."""


def run(module: str) -> int:
    """Import *module* and `call` its `main`. Returns the exit code, 1 if a package is missing."""
    try:
        main: Callable[[], int] = import_module(module).main
    except Exception as error:
        return _fail(_unfit(error) or _sentence(error), error)
    return call(main)


def call(main: Callable[[], int]) -> int:
    """Call *main*. Returns its exit code, or that of its exception, which is printed in a sentence.

    1: it can't be done now; 2: the call or a setting is wrong. The trace of an exception that is
    not raised on purpose is written to a log, which the sentence names. Such an exception is a bug
    unless it is about the machine.
    """
    try:
        return main()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return _INTERRUPTED
    except (CommandError, SyncError) as error:
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
    """Write the trace to a log. Returns the end of the sentence, which names the log."""
    trace = "".join(traceback.format_exception(error))
    for log in (LOG, Path(tempfile.gettempdir()) / "stream-sync-errors.log"):
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {sys.argv}\n{trace}\n")
        except OSError:  # perhaps the very error that is being reported
            continue
        return f"\n       the trace is in {log}"
    return ""


def _unfit(error: Exception) -> str | None:
    """What to do if this Python lacks packages, which *error* is a sign of; else None."""
    missing = isinstance(error, ImportError) and (error.name or "").partition(".")[0] not in _OURS
    python = ROOT / ".venv" / "bin" / "python"
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        return f"{sys.executable} lacks what is needed ({error}): `make setup`, then use {python}"
    return f"{error}: `make setup` installs what is needed" if missing else None


def _sentence(error: Exception) -> str | None:
    """What is wrong and what to do, if *error* is about the machine; None for a bug."""
    if isinstance(error, _DAMAGED):
        return (
            f"a file is damaged ({error}): delete dist/ and what was downloaded, "
            "$STREAM_SYNC_CACHE or ~/.cache/stream-sync; both are created again"
        )
    if type(error).__module__.partition(".")[0] in _NETWORK:
        return f"{' '.join(str(error).split()) or type(error).__name__}; {_NO_ANSWER}"
    if not isinstance(error, OSError):
        return None
    what = error.strerror or str(error) or type(error).__name__
    where = f" ({error.filename})" if error.filename else ""
    unknown = _NO_ANSWER if isinstance(error, socket.gaierror | TimeoutError) else _CORRECT
    return f"{what}{where}: {_ADVICE.get(error.errno or 0, unknown)}"
