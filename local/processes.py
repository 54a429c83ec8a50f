"""Child processes that never outlive their owner, and waiting for them to be ready."""

import http.client
import json
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Self

from local import paths
from local.errors import LocalError

_GUARD = Path(__file__).with_name("guard.py")
_TAIL_LINES = 20
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy


class Child:
    """A running process with its own log; it ends with us, even if we are killed with SIGKILL.

    Between it and us stands local/guard.py, which ends it and all it has started, in whatever
    session, once our end of a socket closes.
    """

    def __init__(
        self, name: str, log: Path, guard: subprocess.Popen[bytes], owner: socket.socket
    ) -> None:
        self.name = name
        self.log = log
        self.pid = 0  # of the process itself, not of its guard
        self._guard = guard
        self._owner = owner  # the end whose closing is the guard's order to clear up
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

        *env* replaces the environment. *user* needs root. *grace_s* is the time between SIGTERM
        and SIGKILL if we disappear. Raises LocalError when the program can't be run.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        spec = {"argv": [str(arg) for arg in argv], "user": user, "grace_s": grace_s}
        ours, theirs = socket.socketpair()  # close-on-exec, so no other child holds our end
        with theirs, log.open("ab") as output:
            log_start = output.tell()
            guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), json.dumps(spec)],
                stdin=theirs.fileno(),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,  # Ctrl-C is for us to handle
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
        """End it, with SIGKILL after *grace_s* (0: at once), and return its exit code.

        Everything it has started is gone too. Stopping again does nothing.
        """
        with self._owner:
            if self.alive() and self._owner.fileno() >= 0:
                with suppress(BrokenPipeError):  # it ended by itself just now
                    self._owner.sendall(str(grace_s).encode())
        return self._guard.wait()

    def tail(self) -> str:
        """The last lines it has logged since it started, ready to be put below a message."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            lines = log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in lines)

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Return once *ready* says so; it is asked again and again.

        Raises LocalError, with the exit code and the last lines of the log, if the process ends
        first or *timeout_s* passes. Then the process still has to be stopped.
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
    """What to do where a full disk, or a Python that has moved, is why."""
    return f"Should what was downloaded be damaged, delete {paths.cache()}: all of it comes anew."


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on.

    It lies below the range that outgoing connections take theirs from (32768 up on Linux, 49152
    up on macOS). Otherwise, while a server is down, a client that keeps trying to reach it can be
    given its port, and even connect to itself; the server then never gets it back.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LocalError("no free port found on 127.0.0.1 between 20000 and 32000")


def http_ok(url: str, *, timeout_s: float = 5.0) -> bool:
    """Whether a GET of *url* is answered with 2xx."""
    try:
        with _DIRECT.open(url, timeout=timeout_s):
            return True
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False
