"""The directories of servers are removed, whoever was killed."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local import paths
from local.servers import scratch
from tests.servers import Switchboard

OWNER = """
import os, sys
from pathlib import Path
from local import paths
from local.servers import scratch
from local.servers.processes import Child

paths.STATE, paths.server_user = Path(sys.argv[1]), lambda: None
directory = scratch.create("server")
argv = [sys.executable, "-c", sys.argv[2], sys.argv[3]]
child = Child.start(argv, name="slow", log=directory / "log", cwd=directory, grace_s=60)
print(directory, flush=True)
sys.stdin.read()
"""
SLOW = """
import os, signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
line.sendall(f"server {os.getpid()}".encode())
line.recv(1)
"""

pytestmark = pytest.mark.usefixtures("own_places")


def test_what_a_killed_process_left_is_swept() -> None:
    """A scratch directory goes with the next one made, unless its owner lives."""
    program = """
import os, sys
from pathlib import Path
from local import paths
from local.servers import scratch
paths.STATE, paths.server_user = Path(sys.argv[1]), lambda: None
print(scratch.create("server"), flush=True)
os.kill(os.getpid(), 9)
"""
    argv: list[str | Path] = [sys.executable, "-c", program, paths.STATE]
    ended = subprocess.run(argv, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True, check=False)
    left = Path(ended.stdout.strip())
    assert left.is_dir()
    first = scratch.create("server")
    assert not left.exists()
    second = scratch.create("server")
    assert first.is_dir()
    scratch.discard(first)
    scratch.discard(second)
    assert not first.exists()


def test_a_directory_stays_until_its_server_has_ended() -> None:
    """A server that is still ending after its owner was killed writes there until it has ended."""
    with Switchboard() as switchboard:
        argv = [sys.executable, "-c", OWNER, str(paths.STATE), SLOW, str(switchboard.port)]
        with subprocess.Popen(
            argv, cwd=paths.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as owner:
            assert owner.stdout is not None
            left = Path(owner.stdout.readline().strip())
            switchboard.wait_for(["server"])
            owner.kill()
        scratch.discard(scratch.create("server"))
        assert left.is_dir()
    with (left / ".held").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # returns once the last that held it has ended
    scratch.discard(scratch.create("server"))
    assert not left.exists()


def test_who_makes_a_directory_never_meets_one_half_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stacks come and go beside each other, and each sweeps what others left."""
    alone: list[bool] = []
    remove = shutil.rmtree

    def watched(directory: Path) -> None:
        with (directory.parent / "stream-sync-lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                alone.append(True)
        remove(directory)

    directory = scratch.create("server")
    monkeypatch.setattr(shutil, "rmtree", watched)
    scratch.discard(directory)
    assert alone == [True]
