"""What the local stack installs is whole and pinned, what it finds fits, what it left is swept."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jgo.maven import Artifact, PythonResolver
from requests import ConnectionError as NoConnection

from local import java, maven, paths, typesense_server
from local.deploy import check_node
from local.errors import LocalError
from local.java import Java

FILE = maven.Artifact(
    "org.example", "thing", "1.0", "zip", sha512=hashlib.sha512(b"right").hexdigest()
)


@pytest.fixture(autouse=True)
def own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything below tmp_path, and as an ordinary user."""
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr(paths, "server_user", lambda: None)
    monkeypatch.setattr(java, "_HOMES", (str(tmp_path / "jvm" / "*"),))
    monkeypatch.setenv("STREAM_SYNC_CACHE", str(tmp_path / "cache"))


def make_java(home: Path, version: str, modules: str = "java.base jdk.localedata") -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").touch(mode=0o755)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return home


def answer(monkeypatch: pytest.MonkeyPatch, *answers: bytes | Exception) -> None:
    """Let each download in turn give one of *answers*."""
    waiting = iter(answers)

    def download(_self: PythonResolver, artifact: Artifact) -> Path:
        path = artifact.cached_path
        assert path is not None
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        if isinstance(content := next(waiting), Exception):
            raise content
        path.write_bytes(content)
        return path

    monkeypatch.setattr(PythonResolver, "download", download)


def test_an_old_java_and_one_without_thai_are_passed_over(tmp_path: Path) -> None:
    """JAVA_HOME may be for something else; the first that OpenSearch starts on is taken."""
    old = make_java(tmp_path / "old", "17.0.15")
    make_java(tmp_path / "jvm" / "small", "25", modules="java.base")
    fits = make_java(tmp_path / "jvm" / "fits", "21.0.2")
    assert java.find({"JAVA_HOME": str(old)}) == Java(fits, 21)


def test_no_fitting_java_is_none(tmp_path: Path) -> None:
    """Too new is no better than too old."""
    assert java.find({"JAVA_HOME": str(make_java(tmp_path / "new", "26"))}) is None


def test_java_is_found_through_links_on_the_path(tmp_path: Path) -> None:
    """A `java` on the PATH is a link to where the runtime is."""
    home = make_java(tmp_path / "elsewhere", "25.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    assert java.find({"PATH": str(tmp_path / "bin")}) == Java(home, 25)


def test_a_demanded_java_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    """OPENSEARCH_JAVA_HOME is for us alone, so a wrong one is a mistake to be told of."""
    old = make_java(tmp_path / "old", "17")
    make_java(tmp_path / "jvm" / "fits", "21")
    with pytest.raises(LocalError, match=f"OPENSEARCH_JAVA_HOME={old} is no Java 21 to 25"):
        java.find({"OPENSEARCH_JAVA_HOME": str(old)})


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (None, "Node 20 or newer is needed, and there is none: .*'node'"),
        ("v18.20.4", "Node 20 or newer is needed, and `node` is v18.20.4"),
        ("", "Node 20 or newer is needed, and `node` is none"),
    ],
)
def test_a_node_that_does_not_do_is_told(tmp_path: Path, says: str | None, why: str) -> None:
    """Before anything is downloaded."""
    if says is not None:
        make_server(tmp_path / "node", f"echo {says}")
    with pytest.raises(LocalError, match=why):
        check_node({"PATH": str(tmp_path)})


def make_server(path: Path, program: str) -> Path:
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    return path


def test_a_typesense_of_the_user_s_own_is_taken(tmp_path: Path) -> None:
    """Newer, or for another platform; nothing is downloaded then."""
    named = make_server(tmp_path / "typesense", "echo 'options: --data-dir'; exit 1")
    assert typesense_server.program(print, {"TYPESENSE_SERVER": str(named)}) == named


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (None, "No such file"),
        ("echo 'GLIBC_2.99 not found' >&2; exit 1", "exit code 1 and says 'GLIBC_2.99 not found'"),
    ],
)
def test_a_demanded_typesense_that_does_not_run_is_refused(
    tmp_path: Path, program: str | None, why: str
) -> None:
    """Like a demanded Java: a mistake to be told of, nothing to go on without."""
    named = tmp_path / "typesense"
    if program:
        make_server(named, program)
    with pytest.raises(LocalError, match=f"TYPESENSE_SERVER={named} can't be run: .*{why}") as told:
        typesense_server.program(print, {"TYPESENSE_SERVER": str(named)})
    assert not isinstance(told.value, typesense_server.NotHere)


def test_where_no_typesense_runs_is_told_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of the stack goes without it."""
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(
        typesense_server.NotHere, match="runs on Linux x86_64, and this is Darwin arm64; name one"
    ):
        typesense_server.program(print, {})


def test_a_packaged_typesense_that_does_not_run_here_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A Linux without its libraries, or a cache that nothing may be run from."""
    path = make_server(tmp_path / "typesense", "exit 127")
    path.chmod(0o644)
    monkeypatch.setattr(typesense_server, "install", lambda _: path)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with pytest.raises(typesense_server.NotHere, match="does not run on this machine .*denied"):
        typesense_server.program(print, {})


def test_a_broken_download_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a lost connection nor a file cut short is the end, or is taken for the whole."""
    answer(monkeypatch, NoConnection("reset"), b"rig", b"right")
    said: list[str] = []
    assert maven.download(FILE, tmp_path / "new", said.append).read_bytes() == b"right"
    assert len(said) == 2


def test_another_file_than_the_pinned_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file whose digest differs is never used."""
    answer(monkeypatch, b"wrong", b"wrong", b"wrong")
    with pytest.raises(LocalError, match=r"thing-1\.0\.zip .* not the file pinned"):
        maven.download(FILE, tmp_path / "new", lambda _: None)


def test_no_connection_names_the_file_and_the_cause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a network the message says what was wanted and what went wrong."""
    answer(monkeypatch, *[NoConnection("no route to host")] * 3)
    with pytest.raises(LocalError, match=r"thing-1\.0\.zip could not be .*: no route to host"):
        maven.download(FILE, tmp_path / "new", lambda _: None)


def test_an_install_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """The directory takes its name when it is whole; until then the next one starts over."""
    wanted = tmp_path / "cache" / "tool"

    def fail() -> None:
        with paths.install(wanted) as new:
            assert new is not None
            (new / "half").touch()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    with paths.install(wanted) as new:
        assert new is not None
        assert list(new.iterdir()) == []
        (new / "whole").touch()
    with paths.install(wanted) as new:
        assert new is None
    assert [path.name for path in wanted.iterdir()] == ["whole"]


def test_two_that_start_at_once_install_once(tmp_path: Path) -> None:
    """The second waits for the first, and finds its work done."""
    program = """
import sys
from pathlib import Path
from local import paths
print("ready", flush=True)
sys.stdin.readline()
with paths.install(Path(sys.argv[1])) as new:
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


def test_what_a_killed_process_left_is_swept() -> None:
    """A scratch directory goes with the next one made, unless its owner lives."""
    program = """
import os, sys
from pathlib import Path
from local import paths
paths.STATE, paths.server_user = Path(sys.argv[1]), lambda: None
print(paths.scratch("server"), flush=True)
os.kill(os.getpid(), 9)
"""
    argv: list[str | Path] = [sys.executable, "-c", program, paths.STATE]
    ended = subprocess.run(argv, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True, check=False)
    left = Path(ended.stdout.strip())
    assert left.is_dir()
    first = paths.scratch("server")
    assert not left.exists()
    second = paths.scratch("server")
    assert first.is_dir()
    paths.discard(first)
    paths.discard(second)
    assert not first.exists()


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

    directory = paths.scratch("server")
    monkeypatch.setattr(shutil, "rmtree", watched)
    paths.discard(directory)
    assert alone == [True]


def test_a_cache_that_cannot_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the variable that names another."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("STREAM_SYNC_CACHE", str(tmp_path / "file"))
    with pytest.raises(LocalError, match=r"file can't be where .* \(File exists\): .*STREAM_SYNC"):
        paths.cache()


def test_roots_cache_is_where_its_servers_can_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Servers of root run as nobody, whom a closed home directory bars from all below it."""
    monkeypatch.setattr(paths, "_ROOTS_CACHE", tmp_path / "var")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("STREAM_SYNC_CACHE", str(home / "cache"))
    assert paths.cache() == home / "cache"
    monkeypatch.setattr(paths, "server_user", lambda: "nobody")
    assert paths.cache() == tmp_path / "var"
    assert paths.cache().stat().st_mode & 0o777 == 0o755
