"""Child processes that never outlive their owner."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Self

from local.downloads import cache
from local.errors import LocalError
from local.servers import scratch

_GUARD = Path(__file__).with_name("guard.py")
_TAIL_LINES = 20


class Child:
    """A running process with its own log. It ends when we do, even if SIGKILL ends us.

    It runs under guard.py, which holds the other end of a socket of ours. Once our end closes, the
    guard ends the process and everything it has started, in whatever session.
    """

    def __init__(
        self, name: str, log: Path, guard: subprocess.Popen[bytes], owner: socket.socket
    ) -> None:
        self.name = name
        self.log = log
        self.pid = 0  # of the process itself, not of its guard
        self._guard = guard
        self._owner = owner  # our end of the socket to the guard
        self._log_start = 0

    @classmethod
    def start(
        cls,
        argv: Sequence[str | Path],
        *,
        name: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        grace_s: float = 10.0,
    ) -> Self:
        """Start *argv*, its output appended to *log*.

        *env* replaces the environment. Only root can name a *user*. *grace_s* is the time between
        SIGTERM and SIGKILL if we disappear. If *cwd* is a scratch directory, nobody sweeps it
        before all of that has ended. Raises LocalError if the program can't be run.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        spec = {"argv": [str(arg) for arg in argv], "user": user, "grace_s": grace_s}
        ours, theirs = socket.socketpair()  # close-on-exec: no other child inherits our end
        with theirs, log.open("ab") as output:
            log_start = output.tell()
            guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), json.dumps(spec)],
                stdin=theirs.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                pass_fds=scratch.locks(cwd),
                start_new_session=True,  # so that Ctrl-C reaches us alone
            )
        child = cls(name, log, guard, ours)
        child._log_start = log_start
        with ours.makefile("rb") as answers:
            answer = json.loads(answers.readline() or '{"error": "its guard did not start"}')
        if "error" in answer:
            child.stop()
            raise LocalError(f"{name} can't be run: {answer['error']}{child.tail()}\n{_damaged()}")
        child.pid = answer["pid"]
        return child

    def alive(self) -> bool:
        """Whether it, or anything it started, still runs."""
        return self._guard.poll() is None

    def stop(self, grace_s: float = 10.0) -> int:
        """End the process and everything it has started; return its exit code.

        SIGKILL follows SIGTERM after *grace_s*; 0 means at once. A second call does nothing.
        """
        with self._owner:
            if self.alive() and self._owner.fileno() >= 0:
                with suppress(BrokenPipeError):  # it has just ended by itself
                    self._owner.sendall(str(grace_s).encode())
        return self._guard.wait()

    def tail(self) -> str:
        """The last lines it has logged since it started, indented to follow a message."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in lines)

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Call *ready* until it returns True.

        Raises LocalError, with the exit code and the last lines of the log, if the process ends
        first or *timeout_s* passes. The caller still has to stop the process then.
        """
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if ready():
                return
            if time.monotonic() >= deadline:
                raise LocalError(
                    f"{self.name} was not ready after {timeout_s:g} s. {self._evidence()}"
                )
            time.sleep(0.05)
        code = self._guard.wait()
        cause = f"exit code {code}" + (f", {Signals(code - 128).name}" if code > 128 else "")
        raise LocalError(f"{self.name} ended before it was ready ({cause}). {self._evidence()}")

    def _evidence(self) -> str:
        return f"The end of {self.log}:{self.tail() or ' (empty)'}\n{_damaged()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _damaged() -> str:
    """Advice for a download that a full disk cut short, or whose Python has moved."""
    return (
        f"Should what was downloaded be damaged, delete {cache.directory()}: all of it comes anew."
    )
