"""Starts one process, and ends it and everything it started when their owner is gone.

local/servers/processes.py runs this file as a script. Standard input is a socket to the owner. The
guard first writes one line of JSON to it, with the process's `pid` or an `error`, and then waits.
If the socket closes (because the owner was killed) or SIGTERM arrives, the guard sends SIGTERM to
the process and its descendants, and SIGKILL after a grace period. Bytes on the socket do the same;
they say how many seconds that period has. The guard's exit code is that of the process, or 128 + n
if signal n ended it.

It imports only the standard library, so that it starts in milliseconds, without site-packages.
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
    """The process and everything it has started."""

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
        """Collect every child that has ended, and return whether one is left."""
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
        """Those of our descendants and of the process's group that run, now or when last asked.

        On Linux the orphans among our descendants become our children, so none is missed.
        Elsewhere a process that left the group is found only if its parent was still running when
        this was called.
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
        """End them all, and collect every exit code, so that no zombie is left."""
        if grace_s > 0:
            _signal(self.running(), signal.SIGTERM)
        deadline = time.monotonic() + grace_s
        # `running` leaves out a process that ended after it reaped; `reap` then returns True.
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
    """Make the kernel kill the process if the guard itself is killed."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.kill(pid, number)


def _processes() -> dict[int, tuple[int, int]]:
    """The parent and the group of every process that has not ended, by pid."""
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
        # The timeout is for when forks of the owner (without exec) keep its end of the socket.
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
