"""Downloads from the Maven repository are whole and pinned."""

import hashlib
from pathlib import Path

import pytest
from jgo.maven import Artifact, PythonResolver
from requests import ConnectionError as NoConnection

from local.downloads import maven
from local.errors import LocalError

FILE = maven.Artifact(
    "org.example", "thing", "1.0", "zip", sha512=hashlib.sha512(b"right").hexdigest()
)


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
