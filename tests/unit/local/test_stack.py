"""The local stack's object, before anything is started."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Any

import pytest

from local.servers.emulator import Emulator
from local.servers.opensearch import OpenSearchServer
from local.servers.typesense import TypesenseServer
from local.stack import Stack


class Session:
    """Makes clients slowly, and counts those who ask at once."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.overlapped = False
        self._busy = Lock()
        self._other_came = Event()

    def client(self, service: str, **_: Any) -> object:
        if not self._busy.acquire(blocking=False):
            self.overlapped = True
            self._other_came.set()
            return object()
        self._other_came.wait(0.05)  # an overlap ends it
        self.made.append(service)
        self._busy.release()
        return object()


def test_the_description_holds_nothing_of_the_user_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It lies in a file, which others can read."""
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    stack = Stack(logs=tmp_path)
    monkeypatch.setattr(stack, "_emulator", Emulator(), raising=False)
    monkeypatch.setattr(stack, "opensearch", OpenSearchServer(), raising=False)
    monkeypatch.setattr(stack, "typesense", TypesenseServer(), raising=False)
    described = stack._describe()
    assert described["environment"]["AWS_ENDPOINT_URL"] == described["endpoint_url"]
    assert "hunter2" not in json.dumps(described)


def test_clients_are_made_one_at_a_time_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 supports nothing else, and several threads ask."""
    session = Session()
    monkeypatch.setattr(Stack, "_session", session)
    monkeypatch.setattr(Stack, "endpoint_url", "http://127.0.0.1:9")
    stack = Stack()
    with ThreadPoolExecutor(4) as pool:
        clients = list(pool.map(stack.client, ["lambda", "sqs"] * 4))
    assert not session.overlapped
    assert sorted(session.made) == ["lambda", "sqs"]
    assert len(set(map(id, clients))) == 2
