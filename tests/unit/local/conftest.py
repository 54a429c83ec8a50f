"""What the tests of the local stack share."""

from pathlib import Path

import pytest

from local import paths


@pytest.fixture
def own_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything is written below tmp_path, and by an ordinary user."""
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    monkeypatch.setattr(paths, "server_user", lambda: None)
    monkeypatch.setenv("STREAM_SYNC_CACHE", str(tmp_path / "cache"))
