"""The cache of downloads: where it is, and how it is filled."""

import subprocess
import sys
from pathlib import Path

import pytest

from local import paths
from local.downloads import cache
from local.errors import LocalError

pytestmark = pytest.mark.usefixtures("own_places")


def test_an_install_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The directory takes its name when it is whole; until then the next one starts over."""
    wanted = tmp_path / "cache" / "tool"

    def fail() -> None:
        with cache.install(wanted) as new:
            assert new is not None
            (new / "half").touch()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    with cache.install(wanted) as new:
        assert new is not None
        assert list(new.iterdir()) == []
        (new / "whole").touch()
    with cache.install(wanted) as new:
        assert new is None
    assert [path.name for path in wanted.iterdir()] == ["whole"]


def test_two_that_start_at_once_install_once(tmp_path: Path) -> None:
    """The second waits for the first, and finds its work done."""
    program = """
import sys
from pathlib import Path
from local.downloads import cache
print("ready", flush=True)
sys.stdin.readline()
with cache.install(Path(sys.argv[1])) as new:
    if new:
        print("installs", flush=True)
        (new / "file").touch()
"""
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "tool"],
            cwd=paths.ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    said = [start.communicate()[0] for start in starts]
    assert [start.returncode for start in starts] == [0] * 4
    assert sorted(said) == ["", "", "", "installs\n"]


def test_a_cache_that_cannot_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the variable that names another."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("STREAM_SYNC_CACHE", str(tmp_path / "file"))
    with pytest.raises(LocalError, match=r"file can't be where .* \(File exists\): .*STREAM_SYNC"):
        cache.directory()


def test_roots_cache_is_where_its_servers_can_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Servers of root run as nobody, whom a closed home directory bars from all below it."""
    monkeypatch.setattr(cache, "_ROOTS", tmp_path / "var")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("STREAM_SYNC_CACHE", str(home / "cache"))
    assert cache.directory() == home / "cache"
    monkeypatch.setattr(paths, "server_user", lambda: "nobody")
    assert cache.directory() == tmp_path / "var"
    assert cache.directory().stat().st_mode & 0o777 == 0o755
