"""What people see of a command that fails: never a trace, always why and what to do."""

import errno
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import EndpointConnectionError
from requests.exceptions import ConnectionError as NoConnection

from local.errors import LocalError
from sync.cli import front, local_stack
from sync.errors import ConfigError, Unavailable


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(front, "LOG", tmp_path / "logs" / "errors.log")
    return tmp_path / "logs" / "errors.log"


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


def told(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code, and what stands on standard error."""
    code = front.call(raising(error))
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return code, err


def of_system(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (LocalError("the mill is broken: mend it"), 1, "error: the mill is broken: mend it\n"),
        (Unavailable("503"), 1, "error: 503\n"),
        (ConfigError("STAGE is not set"), 2, "error: STAGE is not set\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_what_is_told_on_purpose_is_told_as_it_is(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    """And leaves nothing in the log."""
    assert told(error, capsys) == (code, says)
    assert not log.exists()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (of_system(errno.ENOSPC, "/full/x"), "No space left on device (/full/x): free some room"),
        (of_system(errno.EACCES, "/shut"), "Permission denied (/shut): get permission"),
        (of_system(errno.EROFS, "/stone"), "Read-only file system (/stone): choose another place"),
        (of_system(errno.ENOENT, "gone.txt"), "No such file or directory (gone.txt): `git status`"),
        (of_system(errno.EADDRINUSE), "Address already in use: stop the process that listens"),
        (of_system(errno.EISDIR, "/d"), "Is a directory (/d): something else is in the way there"),
        (of_system(errno.EIO, "/dev/x"), "Input/output error (/dev/x): correct that"),
        (TimeoutError("timed out"), "timed out: is the network there"),
        (of_system(errno.ENETUNREACH), "Network is unreachable: is the network there"),
        (NoConnection("no route to host"), "no route to host; is the network there"),
        (httpx.ConnectError("refused"), "refused; is the network there, and are the servers up?"),
        (EndpointConnectionError(endpoint_url="http://x"), "http://x"),
        (zipfile.BadZipFile("no zip"), "a file is damaged (no zip): delete dist/ and what was"),
    ],
)
def test_what_is_about_the_machine_says_what_to_do(
    error: Exception, says: str, capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    """In one sentence; the trace is kept, and where is told."""
    code, err = told(error, capsys)
    assert code == 1
    assert says in err
    assert f"the trace is in {log}" in err
    assert "bug" not in err
    assert f"{type(error).__name__}" in log.read_text()


def test_a_bug_is_called_one_and_keeps_its_trace(
    capsys: pytest.CaptureFixture[str], log: Path
) -> None:
    """In a log that the sentence names; an earlier trace stays."""
    for _ in range(2):
        code, err = told(ZeroDivisionError("by zero"), capsys)
        assert code == 1
        assert "error: a bug of this program, please report it: ZeroDivisionError: by zero" in err
        assert f"the trace is in {log}" in err
    assert log.read_text().count("Traceback (most recent call last)") == 2
    assert "raise error" in log.read_text()


def test_a_log_that_cannot_be_written_is_written_elsewhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or nowhere, where the disk is full; the sentence comes all the same."""
    (tmp_path / "file").touch()
    monkeypatch.setattr(front, "LOG", tmp_path / "file" / "errors.log")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    _, err = told(ZeroDivisionError(), capsys)
    assert f"the trace is in {tmp_path / 'stream-sync-errors.log'}" in err
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "file"))
    _, err = told(of_system(errno.ENOSPC), capsys)
    assert err == "error: No space left on device: free some room, and run it again\n"


@pytest.mark.parametrize(
    "argv",
    [
        *(["-m", module, *more] for module, *more in (
            ("local", "status"), ("local.demo", "--once"), ("sync", "status"))),
        ["-m", "local.package", "arm64"],
    ],
    ids=lambda argv: argv[1],
)  # fmt: skip
def test_a_python_without_packages_is_told_what_to_do(argv: list[str]) -> None:
    """Here one that is kept from seeing those of .venv; packaging needs uv alone."""
    done = subprocess.run(
        [sys.executable, "-S", *argv], cwd=front.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert "`make setup`" in done.stderr


# ── `--stage local` ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(local_stack, "DESCRIPTION", tmp_path / "stack.json")
    return tmp_path / "stack.json"


def describe(path: Path, pid: int) -> None:
    path.write_text(
        f'{{"pid": {pid}, "environment": {{"AWS_ENDPOINT_URL": "http://127.0.0.1:9", '
        '"AWS_ACCESS_KEY_ID": "test"}}'
    )


def test_the_stage_local_is_found_by_itself(description: Path) -> None:
    """Nothing of the user's own account is left to be used by mistake."""
    describe(description, os.getpid())
    variables = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "x", "HOME": "/home"}
    local_stack.reach(variables)
    assert variables == {
        "HOME": "/home",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "test",
    }


def test_an_endpoint_that_is_named_is_used(description: Path) -> None:
    """As after `eval "$(python -m local env)"`, or for another's emulator."""
    variables = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_PROFILE": "x"}
    local_stack.reach(variables)
    assert variables == {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_PROFILE": "x"}


def ended() -> int:
    """The id of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


@pytest.mark.parametrize("left", [None, "", "{}", '{"pid": 1', "ended"])
def test_without_a_stack_it_says_how_to_start_one(description: Path, left: str | None) -> None:
    """Also where one that was killed left its description, or half of it."""
    if left == "ended":
        describe(description, ended())
    elif left is not None:
        description.write_text(left)
    assert local_stack.running() is None
    with pytest.raises(ConfigError, match="no local stack is up: `make up` starts one"):
        local_stack.reach({})


def test_the_command_line_looks_for_it(monkeypatch: pytest.MonkeyPatch, description: Path) -> None:
    """For that stage alone."""
    from sync.cli.main import main

    def deployed(stage: str) -> Any:
        raise ConfigError(f"{stage} is asked of {os.environ.get('AWS_ENDPOINT_URL')}")

    monkeypatch.setattr("sync.cli.main.deployed", deployed)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(ConfigError, match="dev is asked of None"):
        main(["status", "--stage", "dev"])
    with pytest.raises(ConfigError, match="no local stack is up"):
        main(["status", "--stage", "local"])
    describe(description, os.getpid())
    with pytest.raises(ConfigError, match="local is asked of http://127.0.0.1:9"):
        main(["status", "--stage", "local"])
