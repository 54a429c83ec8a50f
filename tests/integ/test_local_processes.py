"""No process of the local stack outlives its owner, whatever ends it; failures to start say why."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.errors import LocalError
from local.paths import ROOT
from local.servers import guard
from local.servers.loopback import free_port
from local.servers.processes import Child
from tests.servers import Switchboard

LINUX = sys.platform == "linux"
on_linux = pytest.mark.skipif(not LINUX, reason="needs Linux")

# One process of a family. "deaf" in its name: it ignores SIGTERM. "session": it leaves its
# parent's session. "orphan": its parent ends at once.
MEMBER = """
import os, signal, socket, subprocess, sys
port, name, *children = sys.argv[1:]
if "deaf" in name:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "orphan" in name and os.fork():
    sys.exit()
for child in children:
    argv = [sys.executable, __file__, port, child]
    subprocess.Popen(argv, start_new_session="session" in child)
line = socket.create_connection(("127.0.0.1", int(port)))
line.sendall(f"{name} {os.getpid()}".encode())
line.recv(1)
"""
FAMILY = ["mother", "child", "deaf-child", "session-child", "deaf-session-child", "orphan"]
if LINUX:  # elsewhere nobody knows whose it is
    FAMILY.append("session-orphan")

# Starts a family, and perhaps a process of its own that stays, and ends as it is told.
OWNER = """
import os, subprocess, sys
from pathlib import Path
from local.servers.processes import Child
member, port, bystander, *family = sys.argv[1:]
argv = [sys.executable, member, port]
child = Child.start([*argv, *family], name="family", log=Path(member + ".log"), grace_s=0.2)
if bystander == "exec":
    subprocess.Popen([*argv, "bystander"], close_fds=False)
if bystander == "fork" and os.fork() == 0:
    sys.argv[1:] = [port, "bystander"]
    exec(Path(member).read_text())
    os._exit(0)
if sys.stdin.readline() == "stop\\n":
    child.stop(0.2)
"""


@pytest.fixture
def member(tmp_path: Path) -> str:
    path = tmp_path / "member.py"
    path.write_text(MEMBER)
    return str(path)


@pytest.fixture
def switchboard() -> Iterator[Switchboard]:
    with Switchboard() as board:
        yield board


def start_owner(
    member: str, board: Switchboard, bystander: str = "none"
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, member, str(board.port), bystander, *FAMILY],
        cwd=ROOT,
        stdin=subprocess.PIPE,
    )


@pytest.mark.parametrize("end", ["SIGKILL", "SIGTERM", "returns", "stops"])
def test_the_family_ends_with_its_owner(member: str, switchboard: Switchboard, end: str) -> None:
    """However the owner ends, so do the child and all it started, in whatever session."""
    with start_owner(member, switchboard) as owner:
        switchboard.wait_for(FAMILY)
        if end.startswith("SIG"):
            owner.send_signal(signal.Signals[end])
        else:
            owner.communicate(b"stop\n" if end == "stops" else b"")
        switchboard.wait_until_gone(FAMILY)


@pytest.mark.parametrize("bystander", ["exec", "fork"])
def test_another_child_of_the_owner_does_not_keep_the_family(
    member: str, switchboard: Switchboard, bystander: str
) -> None:
    """Nobody but the owner holds the door open: not a process that inherits all it can."""
    with start_owner(member, switchboard, bystander) as owner:
        switchboard.wait_for([*FAMILY, "bystander"])
        owner.kill()
        switchboard.wait_until_gone(FAMILY)
        assert switchboard.is_there("bystander")


def test_a_child_that_ends_takes_its_family_along(
    member: str, switchboard: Switchboard, tmp_path: Path
) -> None:
    """When the child itself is killed, what it had started doesn't stay."""
    argv = [sys.executable, member, str(switchboard.port), *FAMILY]
    with Child.start(argv, name="family", log=tmp_path / "log", grace_s=0.2) as child:
        switchboard.wait_for(FAMILY)
        assert switchboard.pids["mother"] == child.pid
        os.kill(child.pid, signal.SIGKILL)
        switchboard.wait_until_gone(FAMILY)
        assert child.stop() == 128 + signal.SIGKILL


@on_linux  # which alone can tie a process to its parent's life
def test_a_child_ends_with_its_guard(member: str, switchboard: Switchboard, tmp_path: Path) -> None:
    """Killing the guard leaves no child behind either."""
    argv = [sys.executable, member, str(switchboard.port), "alone"]
    with Child.start(argv, name="alone", log=tmp_path / "log") as child:
        switchboard.wait_for(["alone"])
        os.kill(child._guard.pid, signal.SIGKILL)
        switchboard.wait_until_gone(["alone"])


def test_stop_returns_the_exit_code_every_time(tmp_path: Path) -> None:
    """The code is the program's own; stopping what has ended changes nothing."""
    child = Child.start([sys.executable, "-c", "exit(7)"], name="seven", log=tmp_path / "log")
    with pytest.raises(LocalError, match="exit code 7"):
        child.wait_until(lambda: False, timeout_s=30)
    assert [child.stop(), child.stop()] == [7, 7]
    assert not child.alive()


LATE = """
import os, signal, sys
from local.servers import guard

guarded = guard.Guarded([sys.executable, "-c", "import time; time.sleep(600)"], None)
processes = guard._processes

def after_its_end():
    if guarded.code is None:
        os.kill(guarded.pid, signal.SIGKILL)
        os.waitid(os.P_PID, guarded.pid, os.WEXITED | os.WNOWAIT)
    return processes()

guard._processes = after_its_end
guarded.end(0)
print(guarded.code)
"""


@on_linux  # where the process table is read from files
def test_a_child_that_ends_while_it_is_looked_for_is_collected() -> None:
    """A zombie in the process table is waited for: its exit code is known, and it is gone."""
    answer = subprocess.run([sys.executable, "-c", LATE], cwd=ROOT, capture_output=True, check=True)
    assert answer.stdout.split() == [b"-9"]


def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """What can't be run is said at once, by name and with the cause."""
    with pytest.raises(LocalError, match=r"the cellar can't be run: .*No such file.*/no/such"):
        Child.start(["/no/such/program"], name="the cellar", log=tmp_path / "log")


def test_ending_early_shows_the_end_of_the_log(tmp_path: Path) -> None:
    """The error has the exit code and what was printed last, but nothing of an earlier start."""
    log = tmp_path / "log"
    log.write_text("from an earlier start\n")
    program = "print('\\n'.join(f'line {n}' for n in range(99))); exit('no space left')"
    with (
        Child.start([sys.executable, "-c", program], name="the mill", log=log) as child,
        pytest.raises(LocalError) as raised,
    ):
        child.wait_until(lambda: False, timeout_s=30)
    message = str(raised.value)
    assert message.startswith("the mill ended before it was ready (exit code 1).")
    assert str(log) in message
    assert re.findall(r"^    (.*)$", message, re.MULTILINE)[-2:] == ["line 98", "no space left"]
    assert "line 50" not in message
    assert "from an earlier start" not in message


def test_a_signal_is_named(tmp_path: Path) -> None:
    """A process that is killed says by which signal."""
    argv = [sys.executable, "-c", "import os; os.abort()"]
    with (
        Child.start(argv, name="the mill", log=tmp_path / "log") as child,
        pytest.raises(LocalError, match=r"exit code 134, SIGABRT"),
    ):
        child.wait_until(lambda: False, timeout_s=30)


def test_not_ready_in_time_is_said(member: str, switchboard: Switchboard, tmp_path: Path) -> None:
    """A process that runs and never becomes ready is named with the time that was given."""
    argv = [sys.executable, member, str(switchboard.port), "idle"]
    with (
        Child.start(argv, name="the mill", log=tmp_path / "log") as child,
        pytest.raises(LocalError, match=r"the mill was not ready after 0 s. The end of .*\(empty"),
    ):
        child.wait_until(lambda: False, timeout_s=0)


@pytest.mark.parametrize("linux", [pytest.param(True, marks=on_linux), False])
def test_the_process_table_knows_parents_and_groups(
    monkeypatch: pytest.MonkeyPatch, linux: bool
) -> None:
    """Read from /proc on Linux and from ps elsewhere, it says the same of us."""
    monkeypatch.setattr(guard, "_LINUX", linux)
    assert guard._processes()[os.getpid()] == (os.getppid(), os.getpgrp())


def test_a_free_port_is_never_given_to_an_outgoing_connection() -> None:
    """The port can be listened on, and lies below what Linux and macOS hand to clients."""
    port = free_port()
    assert port < 32_768
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname() == ("127.0.0.1", port)
