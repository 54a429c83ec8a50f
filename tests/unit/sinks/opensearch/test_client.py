"""Requests to OpenSearch as they are sent, and what becomes of their failures."""

import gzip
import threading
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
import requests
from botocore.exceptions import CredentialRetrievalError

from local.servers.loopback import free_port
from sync.errors import Misconfigured, Retry, Throttled, Unanswered, Unavailable
from sync.sinks.opensearch.answers import Rejected
from sync.sinks.opensearch.client import Connection
from sync.sinks.opensearch.settings import Settings
from tests.doubles.replies import Told, replying
from tests.fault_proxy import Fault, FaultProxy, Reply, answer, cut_before, hold

LINES = b'{"index":{"_index":"things","_id":"1"}}\n{"a":1}\n'
TOOK: Told = {"POST /_bulk": {"took": 1, "items": []}}
NO_ERROR = {"type": "x", "reason": "no"}


def connection(url: str, *, region: str | None = None, refresh: str = "false") -> Connection:
    return Connection(Settings(url, region, refresh, 20.0))


def failure(fault: Fault, timeout_s: float = 5.0) -> tuple[type[Exception], str]:
    """What a bulk request raises; it is sent once, whatever it is."""
    with FaultProxy("http://127.0.0.1") as server:
        server.fail(fault, times=None)
        with pytest.raises((Retry, Rejected)) as caught:
            connection(server.url).bulk(LINES, timeout_s)
        assert len(server.requests) == 1
    return type(caught.value), str(caught.value)


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────


def test_a_bulk_request_is_sent_compressed_and_asks_for_aliases() -> None:
    """The server waits half as long for shards as the sink does for the server."""
    with replying(TOOK) as server:
        told = connection(server.url, refresh="wait_for").bulk(LINES, 3.0)
        (request,) = server.requests
    assert told == {"took": 1, "items": []}
    assert (request.method, urlsplit(request.path).path) == ("POST", "/_bulk")
    assert dict(parse_qsl(urlsplit(request.path).query)) == {
        "require_alias": "true",
        "refresh": "wait_for",
        "timeout": "1500ms",
    }
    assert request.header("content-type") == "application/x-ndjson"
    assert request.header("content-encoding") == "gzip"
    assert request.header("accept-encoding") == "gzip"
    assert request.header("authorization") is None
    assert gzip.decompress(request.body) == LINES


def test_a_body_is_compressed_in_the_fastest_way() -> None:
    """Its header says so (RFC 1952: XFL is 4), and holds no time: the same ops, the same bytes."""
    with replying(TOOK) as server:
        connection(server.url).bulk(LINES, 3.0)
        header = server.requests[0].body[:10]
    assert (header[4:8], header[8]) == (bytes(4), 4)


def test_a_request_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it, from connecting to the last byte."""
    given: list[Any] = []
    send = requests.Session.send

    def spy(self: requests.Session, request: Any, **options: Any) -> Any:
        given.append(options["timeout"])
        return send(self, request, **options)

    monkeypatch.setattr(requests.Session, "send", spy)
    with replying(TOOK) as server:
        connection(server.url).bulk(LINES, 3.0)
    assert [timeout.total for timeout in given] == [3.0]


# ── Failures ──────────────────────────────────────────────────────────────────────────────────────


def told(status: int, body: bytes = b'{"error":{"type":"x","reason":"no"}}') -> Fault:
    return answer(status, body)


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (told(503), Unavailable, "503 x: no"),
        (told(429), Throttled, "429 x: no"),
        (told(404), Misconfigured, "404 x: no"),
        (told(400), Rejected, "400 x: no"),
        (told(403, b'{"message":"Forbidden"}'), Rejected, '403 {"message":"Forbidden"}'),
        (told(502, b"<html> Bad\nGateway </html>"), Unavailable, "502 <html> Bad Gateway </html>"),
        (
            told(500, b"[]"),
            Unavailable,
            "the answer is an error, but not in OpenSearch's format",
        ),
        (told(200, b'{"items":'), Unavailable, "the answer is not JSON"),
        (cut_before, Unavailable, "no answer: ConnectionError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_failure_says_what_the_server_said(
    fault: Fault, kind: type[Exception], text: str
) -> None:
    """Whether it may pass, and what it is about. It is the sink that tries again."""
    assert failure(fault) == (kind, text)


def test_a_server_that_does_not_answer_in_time_may_have_written() -> None:
    """The request may yet take effect."""
    released = threading.Event()
    try:
        assert failure(hold(released), 0.2) == (Unanswered, "no answer: ReadTimeout")
    finally:
        released.set()


def test_a_refused_connection_has_no_effect() -> None:
    """Nothing was sent."""
    with pytest.raises(Unavailable) as caught:
        connection(f"http://127.0.0.1:{free_port()}").bulk(LINES, 3.0)
    assert (type(caught.value), str(caught.value)) == (Unavailable, "no answer: ConnectionError")


def test_a_body_that_is_no_json_is_not_quoted() -> None:
    """It may hold documents; only the place where it ends is kept, as the cause."""
    spoilt = replying({"POST /_bulk": Reply(200, b'{"secret":')})
    with spoilt as server, pytest.raises(Unavailable) as caught:
        connection(server.url).bulk(LINES, 3.0)
    assert isinstance(caught.value.__cause__, ValueError)
    assert "secret" not in str(caught.value.__cause__)


# ── Signatures ────────────────────────────────────────────────────────────────────────────────────


def test_a_region_has_requests_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the credentials that boto3 finds; tests/contract checks the signature itself."""
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with replying(TOOK) as server:
        connection(server.url, region="eu-west-1").bulk(LINES, 3.0)
        signed = server.requests[0].header("authorization") or ""
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/es/aws4_request" in signed


class Credentials:
    """Those of a role that can't be renewed."""

    def get_frozen_credentials(self) -> Any:
        raise CredentialRetrievalError(provider="role", error_msg="denied")


def test_credentials_that_cannot_be_had_are_ours_to_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None at all, a profile that does not exist, or a role that can't be renewed."""

    def why() -> str:
        with replying(TOOK) as server, pytest.raises(Misconfigured) as caught:
            connection(server.url, region="eu-west-1").bulk(LINES, 3.0)
        assert server.requests == []
        return str(caught.value)

    monkeypatch.setattr(boto3.Session, "get_credentials", lambda _: None)
    assert why() == "OPENSEARCH_AUTH is aws, but boto3 finds no credentials"
    monkeypatch.setattr(boto3.Session, "get_credentials", lambda _: Credentials())
    assert why() == "no AWS credentials: CredentialRetrievalError"
    monkeypatch.setenv("AWS_PROFILE", "none-such")
    assert why() == "no AWS credentials: ProfileNotFound"


def test_the_session_is_of_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's credentials may come from an endpoint of it."""
    asked: list[Any] = []

    def credentials(session: boto3.Session) -> Any:
        asked.append(session.region_name)
        return Credentials()

    monkeypatch.setattr(boto3.Session, "get_credentials", credentials)
    connection("http://127.0.0.1:1", region="eu-west-1")
    assert asked == ["eu-west-1"]
