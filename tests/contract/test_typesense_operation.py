"""The Typesense stand-in in operation: keys, faults, restarts, and as a process of its own."""

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest
import typesense.types.key as key_types
from typesense import Client
from typesense.exceptions import (
    ObjectNotFound,
    RequestUnauthorized,
    ServiceUnavailable,
    TypesenseClientError,
)

from local import fault_proxy, paths
from local.fault_proxy import FaultProxy
from local.processes import Child, free_port, http_ok
from local.typesense import TypesenseServer
from tests.contract.shapes import complaints
from tests.contract.typesense_clients import client_of, make

FORBIDDEN = (401, "Forbidden - a valid `x-typesense-api-key` header must be sent.")


def test_without_a_valid_key_nothing_is_done(typesense: TypesenseServer) -> None:
    """Only /health answers everyone; an unknown route is not found, whatever the key."""
    with client_of(typesense.url, "wrong") as stranger:
        with pytest.raises(RequestUnauthorized) as refused:
            stranger.collections.retrieve()
        assert refused.value.args == FORBIDDEN
        assert stranger.operations.is_healthy()
        with pytest.raises(ObjectNotFound) as unknown:
            stranger.stopwords.retrieve()
        assert unknown.value.args == (404, "Not Found")


def test_a_key_opens_its_actions_on_its_collections(
    typesense: TypesenseServer, client: Client
) -> None:
    """Collections are regular expressions, matched against the name in the path."""
    make(client, "planes", ("name", "string"))
    client.aliases.upsert("public-planes", {"collection_name": "planes"})
    made = client.keys.create(
        {
            "description": "reads",
            "actions": ["documents:search", "documents:export"],
            "collections": ["public-.*"],
        }
    )
    assert not list(complaints(made, key_types.ApiKeyCreateResponseSchema))
    with client_of(typesense.url, made["value"]) as reader:
        documents: Any = reader.collections["public-planes"].documents
        assert documents.export() == ""
        for refused in (
            reader.collections["planes"].documents.export,
            lambda: documents.import_([{"name": "a"}]),
            reader.keys.retrieve,
        ):
            with pytest.raises(RequestUnauthorized):
                refused()
        client.keys[made["id"]].delete()
        with pytest.raises(RequestUnauthorized):
            documents.export()


def test_keys_are_listed_without_their_values(client: Client) -> None:
    """Once made, a key shows only its first four characters."""
    made = client.keys.create(
        {"description": "all", "actions": ["*"], "collections": ["*"], "value": "secret-1"}
    )
    listed = client.keys.retrieve()
    assert not list(complaints(listed, key_types.ApiKeyRetrieveSchema))
    (key,) = listed["keys"]
    assert "value" not in key
    assert key["value_prefix"] == "secr"
    assert client.keys[made["id"]].retrieve() == key
    with pytest.raises(TypesenseClientError) as twice:
        client.keys.create(
            {"description": "", "actions": ["*"], "collections": ["*"], "value": "secret-1"}
        )
    assert twice.value.args == (409, "API key generation conflict.")


def test_an_expired_key_opens_nothing(typesense: TypesenseServer, client: Client) -> None:
    """From the second after expires_at on."""
    client.keys.create(
        {
            "description": "",
            "actions": ["*"],
            "collections": ["*"],
            "value": "old",
            "expires_at": 1,
        }
    )
    with client_of(typesense.url, "old") as late, pytest.raises(RequestUnauthorized):
        late.collections.retrieve()


def test_one_line_can_be_made_to_fail(typesense: TypesenseServer, client: Client) -> None:
    """As when the server can't write one document: the lines around it succeed."""
    make(client, "planes", ("name", "string"))
    documents: Any = client.collections["planes"].documents
    lines = [{"id": str(n), "name": "a"} for n in range(3)]
    typesense.refuse("1", times=2)
    for _ in range(2):
        answer = documents.import_(lines, {"action": "upsert"})
        assert answer == [
            {"success": True},
            {"success": False, "code": 500, "error": "Could not write to on-disk storage."},
            {"success": True},
        ]
    assert documents.import_(lines, {"action": "upsert"}) == [{"success": True}] * 3


def test_troubles_reach_the_client_as_the_servers_own(
    typesense: TypesenseServer, client: Client
) -> None:
    """Through the fault proxy: not ready, too many requests, and connections that break."""
    make(client, "planes", ("name", "string"))
    with FaultProxy(typesense.url) as proxy, client_of(proxy.url) as troubled:
        documents: Any = troubled.collections["planes"].documents
        proxy.fail(fault_proxy.answer(503, b'{ "message": "Not Ready or Lagging"}'))
        with pytest.raises(ServiceUnavailable) as lagging:
            documents.import_([{"id": "1", "name": "a"}])
        assert lagging.value.args == (503, "Not Ready or Lagging")
        proxy.fail(fault_proxy.answer(429, b'{ "message": "Rate limit exceeded or blocked"}'))
        with pytest.raises(TypesenseClientError) as limited:
            documents.import_([{"id": "1", "name": "a"}])
        assert limited.value.args == (429, "Rate limit exceeded or blocked")
        proxy.fail(fault_proxy.cut_before)
        with pytest.raises(httpx.RemoteProtocolError):
            documents.import_([{"id": "1", "name": "a"}])
        assert documents.export() == ""
        proxy.fail(fault_proxy.cut_after)
        with pytest.raises(httpx.RemoteProtocolError):
            documents.import_([{"id": "1", "name": "a"}])
        assert json.loads(documents.export())["id"] == "1"
        proxy.fail(fault_proxy.cut_within)
        with pytest.raises(httpx.RemoteProtocolError):
            documents.export()


def test_documents_survive_a_restart_on_the_same_port(
    typesense: TypesenseServer, client: Client
) -> None:
    """Stopped it cuts connections and refuses new ones; started again it has what it had."""
    make(client, "planes", ("name", "string"))
    documents: Any = client.collections["planes"].documents
    documents.create({"id": "1", "name": "a"})
    client.aliases.upsert("current", {"collection_name": "planes"})
    url = typesense.url
    typesense.stop()
    with pytest.raises(httpx.TransportError):
        documents.export()
    assert not http_ok(f"{url}/health")
    typesense.restart()
    assert typesense.url == url
    assert documents.export() == '{"id":"1","name":"a"}'
    assert client.aliases["current"].retrieve()["collection_name"] == "planes"


def test_it_tells_how_it_is(typesense: TypesenseServer, client: Client) -> None:
    """Health, version, statistics and metrics are there to be asked for."""
    assert client.operations.is_healthy()
    assert client.debug.retrieve() == {"state": 1, "version": "30.0"}
    assert "typesense_memory_active_bytes" in client.metrics.retrieve()
    request = urllib.request.Request(
        f"{typesense.url}/stats.json", headers={"X-TYPESENSE-API-KEY": typesense.api_key}
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["pending_write_batches"] == 0


def test_it_runs_as_a_process(tmp_path: Path) -> None:
    """Started as a child it answers on its port, and ends well when told to."""
    port = free_port()
    argv = [sys.executable, "-m", "local.typesense", "--port", str(port), "--api-key", "k"]
    with Child.start(argv, name="Typesense", log=tmp_path / "log", cwd=paths.ROOT) as child:
        child.wait_until(lambda: http_ok(f"http://127.0.0.1:{port}/health"), timeout_s=30)
        with client_of(f"http://127.0.0.1:{port}", "k") as client:
            assert client.collections.retrieve() == []
        assert child.stop() == 0
    assert not http_ok(f"http://127.0.0.1:{port}/health")
