"""Holds one process and everything it starts, and ends them all when their owner is gone.

Run as a script by local/processes.py. Standard input is a socket to the owner: the guard first
writes one line of JSON on it, the process's `pid` or an `error`, then waits. End of file (the
owner was killed, by whatever) or SIGTERM ends the process: SIGTERM to it and its descendants, and
SIGKILL after a grace. Bytes on the socket do the same, and are the grace in seconds. The guard's
exit code is the process's own, or 128 + n if signal n ended it.

Nothing but the standard library, so that it starts in milliseconds, without site-packages.
"""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_LINUX = sys.platform == "linux"
_prctl: Any = ctypes.CDLL(None).prctl if _LINUX else None


class Guarded:
    """The process, and those it started."""

    def __init__(self, argv: list[str], user: str | None) -> None:
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_guard if _LINUX else None,  # safe: one thread here
            **_identity(user),
        )
        self.pid = self._process.pid
        self._known = {self.pid}

    @property
    def code(self) -> int | None:
        return self._process.returncode

    def reap(self) -> bool:
        """Collect whatever has ended, Linux's orphans included; return whether a child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)

    def running(self) -> set[int]:
        """Our descendants and the process's group; also those once seen among them.

        On Linux every orphan below becomes our child, so none is missed. Elsewhere one that left
        the group is known only if it was seen before its parent ended.
        """
        self.reap()
        table = _processes()
        found, size = {os.getpid()}, 0
        while size != len(found):  # until no more children turn up
            size = len(found)
            found |= {pid for pid, (parent, _) in table.items() if parent in found}
        found |= {pid for pid, (_, group) in table.items() if group == self.pid}
        self._known |= found - {os.getpid()}
        return self._known & table.keys()

    def end(self, grace_s: float) -> None:
        """Leave none of them, not even as a zombie: its exit code is ours."""
        if grace_s > 0:
            _signal(self.running(), signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        # One that ends just after `running` reaped is a zombie there: not running, but still ours.
        while (pids := self.running()) or self.reap():
            if time.monotonic() >= deadline:
                _signal(pids, signal.SIGKILL)
            time.sleep(0.02)


def _identity(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    import pwd

    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _die_with_guard() -> None:
    """Let the kernel kill the process should the guard itself be killed."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, number)


def _processes() -> dict[int, tuple[int, int]]:
    """Parent and group of every process that has not ended, by pid."""
    if _LINUX:
        rows = list(filter(None, map(_read_stat, Path("/proc").glob("[0-9]*"))))
    else:
        ps = subprocess.Popen(["ps", "-A", "-o", "pid=,stat=,ppid=,pgid="], stdout=subprocess.PIPE)
        lines = ps.communicate()[0].decode().splitlines()
        rows = [row for row in map(str.split, lines) if row[0] != str(ps.pid)]
    return {
        int(pid): (int(parent), int(g)) for pid, state, parent, g in rows if state[0] not in "ZX"
    }


def _read_stat(process: Path) -> list[str] | None:
    try:
        stat = (process / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None  # it has ended meanwhile
    return [process.name, *stat.rpartition(")")[2].split()[:3]]  # the name may hold blanks


def main() -> int:
    spec = json.loads(sys.argv[1])
    owner, grace_s, parent = socket.socket(fileno=0), spec["grace_s"], os.getppid()
    signals, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    if _LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        guarded = Guarded(spec["argv"], spec["user"])
    except (OSError, KeyError) as error:
        owner.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
        return 127
    owner.sendall(json.dumps({"pid": guarded.pid}).encode() + b"\n")

    inputs: list[socket.socket | int] = [owner, signals]
    while guarded.code is None and os.getppid() == parent:
        # The timeout is for an owner whose forks (without exec) still hold its end of the socket.
        ready = select.select(inputs, [], [], 1.0)[0]
        if owner in ready:
            grace_s = float(owner.recv(64) or grace_s)
            break
        if signals in ready and signal.SIGTERM in os.read(signals, 512):
            break
        guarded.reap()
    guarded.end(grace_s)
    code = guarded.code or 0
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
