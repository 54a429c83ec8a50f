"""The real Typesense: alone on loopback, stopped, crashed and started again."""

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from typesense.exceptions import RequestUnauthorized

from local.servers.loopback import http_ok
from local.servers.typesense import TypesenseServer
from tests.servers import emptied


@pytest.fixture
def typesense(typesense_server: TypesenseServer) -> TypesenseServer:
    return emptied(typesense_server)


def test_what_it_holds_survives_a_stop_and_a_crash(typesense: TypesenseServer) -> None:
    """On the same port: documents, aliases and keys; while it is down nobody answers."""
    key, url = typesense.create_key("reads", ["documents:export"]), typesense.url
    with typesense.client() as client:
        client.collections.create({"name": "planes", "fields": [{"name": "n", "type": "string"}]})
        client.aliases.upsert("current", {"collection_name": "planes"})
        documents: Any = client.collections["planes"].documents  # for by an alias some are lost
        documents.create({"id": "1", "n": "a"})
        for grace_s in (20.0, 0.0):
            typesense.stop(grace_s=grace_s)
            assert typesense.pid is None
            assert not http_ok(f"{url}/health")
            with pytest.raises(httpx.TransportError):
                documents.export()
            typesense.start()
            assert typesense.url == url
            with typesense.client(key) as reader:
                exported = reader.collections["current"].documents.export()
            assert exported == '{"id":"1","n":"a"}'


def test_nobody_else_reaches_it(
    typesense: TypesenseServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It listens on 127.0.0.1 alone, its key is in no list of processes, and settings of a
    Typesense that the user has elsewhere do not reach it."""
    for port in (typesense.port, typesense._peering_port):
        with socket.create_connection(("127.0.0.1", port), timeout=30):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=30)
    cmdline = Path(f"/proc/{typesense.pid}/cmdline").read_bytes()
    assert b"--data-dir" in cmdline
    assert typesense.api_key.encode() not in cmdline
    monkeypatch.setenv("TYPESENSE_API_KEY", "the user's own")
    monkeypatch.setenv("TYPESENSE_DATA_DIR", str(tmp_path))
    with TypesenseServer(log=tmp_path / "log") as other:
        with other.client("the user's own") as client, pytest.raises(RequestUnauthorized):
            client.collections.retrieve()
        with other.client() as client:
            assert client.collections.retrieve() == []
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
