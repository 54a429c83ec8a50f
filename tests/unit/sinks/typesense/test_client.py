"""Requests to Typesense as they are sent, and what becomes of their failures."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from typesense.exceptions import TypesenseClientError

from local.servers.loopback import free_port
from sync.aws.keys import Source
from sync.errors import Misconfigured, Retry, Unanswered, Unavailable
from sync.sinks.typesense import Typesense, sink
from sync.sinks.typesense.answers import Busy, Forbidden, TooLarge
from sync.sinks.typesense.client import Connection
from sync.sinks.typesense.settings import Settings
from sync.writing.op import Done, Op
from tests.doubles.derived import patient
from tests.doubles.replies import Told, named, replying, sent
from tests.fault_proxy import Fault, FaultProxy, Reply, Request, answer, cut_before, hold

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:typesense"
LINES = b'{"a":1,"id":"1"}\n{"a":2,"id":"2"}'
WROTE = b'{"success":true}\n{"success":true}'
ALIASES: Told = {"GET /aliases": {"aliases": [{"name": "things", "collection_name": "things_v2"}]}}
IMPORT = "POST /collections/things_v2/documents/import"
DELETE = "DELETE /collections/things_v2/documents"
THINGS = "GET /collections/things_v2/documents"


@contextmanager
def connected(server: FaultProxy, timeout_s: float = 5.0) -> Iterator[Connection]:
    url = urlsplit(server.url)
    settings = Settings("http", url.hostname or "", url.port or 0, ARN, timeout_s)
    connection = Connection(settings, "k3y")
    try:
        yield connection
    finally:
        connection.close()


def import_(connection: Connection, alias: str, lines: bytes, timeout_s: float) -> str:
    """As the sink does it: where to, and then what."""
    found, left_s = connection.places(alias, timeout_s)
    assert found.live is not None
    return connection.import_(found.live, lines, left_s)


def delete(connection: Connection, alias: str, id_: str, timeout_s: float) -> Any:
    found, left_s = connection.places(alias, timeout_s)
    assert found.live is not None
    return connection.delete(found.live, id_, left_s)


def is_write(request: Request) -> bool:
    return "/documents" in request.path


@contextmanager
def writing(fault: Fault) -> Iterator[tuple[FaultProxy, Connection]]:
    """A server that knows the alias, and that answers writes with *fault*."""
    with replying(ALIASES) as server, connected(server) as connection:
        lookup = server.rules.pop()
        server.fail(fault, times=None, about=is_write)
        server.rules.append(lookup)
        yield server, connection


# ── Requests ──────────────────────────────────────────────────────────────────────────────────────


def test_documents_are_imported_into_the_collection_behind_the_alias() -> None:
    """As upserts that never change a value to fit. The answer has a line for each document."""
    told = {**ALIASES, IMPORT: Reply(200, WROTE)}
    with replying(told) as server, connected(server) as connection:
        assert import_(connection, "things", LINES, 3.0) == WROTE.decode()
        lookup, request = server.requests
    assert named(lookup) == "GET /aliases"
    assert named(request) == IMPORT
    assert dict(parse_qsl(urlsplit(request.path).query)) == {
        "action": "upsert",
        "dirty_values": "reject",
        "return_id": "true",
    }
    assert request.body == LINES
    assert request.header("x-typesense-api-key") == "k3y"


@pytest.mark.parametrize(
    ("id_", "path"),
    [
        ("1", "/collections/things_v2/documents/1?ignore_not_found=true"),
        ("a/b", "/collections/things_v2/documents/a%2Fb?ignore_not_found=true"),
        ("?x", "/collections/things_v2/documents/%3Fx?ignore_not_found=true"),
        ("...", "/collections/things_v2/documents/...?ignore_not_found=true"),
        (".", "/collections/things_v2/documents/?filter_by=id%3A%5B%60.%60%5D"),
        ("..", "/collections/things_v2/documents/?filter_by=id%3A%5B%60..%60%5D"),
    ],
)
def test_an_id_is_never_a_way_through_the_url(id_: str, path: str) -> None:
    """Taken for one, a delete of `..` would delete the collection."""
    with writing(answer(200, json.dumps({"id": id_}).encode())) as (server, connection):
        assert delete(connection, "things", id_, 3.0) == {"id": id_}
        (request,) = filter(is_write, server.requests)
    assert (request.method, request.path) == ("DELETE", path)


def test_a_document_that_older_servers_miss_is_deleted() -> None:
    """They don't know ignore_not_found; a missing collection is something else."""
    missing = Reply(404, b'{"message":"Could not find a document with id: 1"}')
    with (
        replying({**ALIASES, f"{DELETE}/1": missing}) as server,
        connected(server) as connection,
    ):
        assert delete(connection, "things", "1", 3.0) == {"id": "1"}
        with pytest.raises(Misconfigured):
            delete(connection, "things", "2", 3.0)


class Secrets:
    """AWS's client of secrets."""

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803 - AWS's
        assert SecretId == ARN
        return {"SecretString": "k3y-of-the-secret"}


def test_a_sink_connects_with_its_settings_and_the_secret_s_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its first write."""
    monkeypatch.setattr(sink, "aws_client", {"secretsmanager": Secrets()}.__getitem__)
    put = Op("typesense", Source("t", {}), "things", "1", b"{}", 1)
    with replying({**ALIASES, IMPORT: Reply(200, b'{"success":true}')}) as server:
        made = Typesense.from_env({"TYPESENSE_URL": server.url, "TYPESENSE_API_KEY_ARN": ARN})
        assert server.requests == []
        ((_, result),) = made.write([put], patient())
        made._forget()
        keys = {request.header("x-typesense-api-key") for request in server.requests}
    assert result is Done.WRITTEN
    assert keys == {"k3y-of-the-secret"}


# ── Aliases ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    now = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def lookups(server: FaultProxy) -> int:
    return [name for name, _ in sent(server)].count("GET /aliases")


def test_aliases_are_looked_up_once_a_second(clock: list[float]) -> None:
    """Nobody waits for long until an alias points elsewhere."""
    told = {**ALIASES, f"{DELETE}/1": {"id": "1"}}
    with replying(told) as server, connected(server) as connection:
        for passed, asked in ((0.0, 1), (0.5, 1), (0.5, 2), (0.9, 2)):
            clock[0] += passed
            delete(connection, "things", "1", 3.0)
            assert lookups(server) == asked


def test_an_alias_that_is_missing_is_told() -> None:
    """By its name: it concerns no other alias, and no write makes it."""
    with replying(ALIASES) as server, connected(server) as connection:
        with pytest.raises(Misconfigured) as caught:
            import_(connection, "others", LINES, 3.0)
        assert len(server.requests) == 1
    assert str(caught.value) == "404 there is no alias others"
    assert caught.value.of_target


@pytest.mark.parametrize(
    ("fault", "kind", "why"),
    [
        (answer(504, b'{"message":"slow"}'), Unavailable, "looking up the alias things: 504 slow"),
        (answer(413, b'{"message":"no"}'), Unavailable, "looking up the alias things: 413 no"),
        (answer(503, b'{"message":"Lagging"}'), Busy, "503 Lagging"),
        (answer(401, b'{"message":"Forbidden"}'), Misconfigured, "401 Forbidden"),
    ],
)
def test_a_lookup_that_fails_has_no_effect(fault: Fault, kind: type[Retry], why: str) -> None:
    """Its write can be tried again at once; an answer that was lost would be waited out."""
    with FaultProxy("http://127.0.0.1") as server, connected(server) as connection:
        server.fail(fault, times=None)
        with pytest.raises(Retry) as caught:
            import_(connection, "things", LINES, 3.0)
        assert [request.path for request in server.requests] == ["/aliases"]
    assert (type(caught.value), str(caught.value)) == (kind, why)


@pytest.mark.parametrize(("took_s", "left_s"), [(1.0, 2.0), (2.5, 0.5), (3.0, None), (3.5, None)])
def test_a_write_has_the_time_that_its_lookup_left(
    took_s: float, left_s: float | None, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together they end in time; without any left, nothing is sent."""
    given: list[float] = []
    answers = {**ALIASES, f"{DELETE}/1": {"id": "1"}}
    with replying(answers) as server, connected(server) as connection:
        send = connection._http.send

        def spy(request: httpx.Request, **options: Any) -> Any:
            given.append(request.extensions["timeout"]["read"])
            if request.url.path == "/aliases":
                clock[0] += took_s
            return send(request, **options)

        monkeypatch.setattr(connection._http, "send", spy)
        if left_s is not None:
            delete(connection, "things", "1", 3.0)
            assert given == [3.0, left_s]
        else:
            with pytest.raises(Unavailable) as caught:
                delete(connection, "things", "1", 3.0)
            assert str(caught.value) == "looking up the alias things left no time to write"
            assert given == [3.0]


@pytest.mark.parametrize(
    "read",
    [
        lambda connection: connection.documents("things", ["1"], 3.0),
        lambda connection: connection.document("things", "1", 3.0),
        lambda connection: list(connection.export_ids("things", 3.0)),
    ],
    ids=["documents", "document", "ids"],
)
def test_a_reading_has_the_time_that_its_lookup_left(
    read: Callable[[Connection], Any], clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a write has."""
    given: list[float] = []
    answers = {
        **ALIASES,
        "POST /multi_search": {"results": [{"hits": []}]},
        f"{THINGS}/1": {"id": "1"},
        f"{THINGS}/export": {"id": "1"},
    }
    with replying(answers) as server, connected(server) as connection:
        send = connection._http.send

        def spy(request: httpx.Request, **options: Any) -> Any:
            given.append(request.extensions["timeout"]["read"])
            if request.url.path == "/aliases":
                clock[0] += 1.0
            return send(request, **options)

        monkeypatch.setattr(connection._http, "send", spy)
        read(connection)
    assert given == [3.0, 2.0]


# ── Failures ──────────────────────────────────────────────────────────────────────────────────────


def told(status: int, message: str) -> Fault:
    return answer(status, json.dumps({"message": message}).encode())


@pytest.mark.parametrize(
    ("fault", "kind", "why"),
    [
        (told(503, "Lagging"), Busy, "503 Lagging"),
        (told(500, "no"), Unanswered, "500 no"),
        (told(400, "Bad JSON"), Misconfigured, "400 Bad JSON"),
        (told(401, "Forbidden"), Misconfigured, "401 Forbidden"),
        (told(403, "blocked"), Forbidden, "403 blocked"),
        (told(413, "too large"), TooLarge, "413 too large"),
        (cut_before, Unanswered, "no answer: RemoteProtocolError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize(
    "write",
    [
        lambda connection: import_(connection, "things", LINES, 3.0),
        lambda connection: delete(connection, "things", "1", 3.0),
        lambda connection: delete(connection, "things", "..", 3.0),
    ],
    ids=["import", "delete", "delete dots"],
)
def test_a_failure_says_what_the_server_said(
    write: Callable[[Connection], Any], fault: Fault, kind: type[Exception], why: str
) -> None:
    """It is sent once: the sink tries again, once the first can no longer take effect."""
    with writing(fault) as (server, connection):
        with pytest.raises((Retry, TooLarge)) as caught:
            write(connection)
        assert len(list(filter(is_write, server.requests))) == 1
    assert (type(caught.value), str(caught.value)) == (kind, why)


@pytest.mark.parametrize("arguments", [("odd",), ()])
def test_an_error_of_the_client_itself_is_told_as_it_is(
    arguments: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One without a status comes from no answer."""
    error = TypesenseClientError(*arguments)

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    with replying(ALIASES) as server, connected(server) as connection:
        monkeypatch.setattr(connection._client.api_call, "delete", fail)
        with pytest.raises(Retry) as caught:
            delete(connection, "things", "1", 3.0)
    assert str(error) in str(caught.value)


def test_an_answer_of_another_format_tells_nothing() -> None:
    """Whatever sent it: the write may have taken effect."""
    with (
        replying({**ALIASES, f"{DELETE}/1": Reply(200, b"<html>")}) as server,
        connected(server) as connection,
        pytest.raises(Unanswered) as caught,
    ):
        delete(connection, "things", "1", 3.0)
    assert str(caught.value) == "the answer is not in Typesense's format"


def test_a_refused_connection_has_no_effect() -> None:
    """Nothing was sent."""
    settings = Settings("http", "127.0.0.1", free_port(), ARN, 5.0)
    connection = Connection(settings, "k3y")
    try:
        with pytest.raises(Unavailable) as caught:
            import_(connection, "things", LINES, 3.0)
    finally:
        connection.close()
    assert (type(caught.value), str(caught.value)) == (Unavailable, "no connection: ConnectError")


def test_a_server_that_does_not_answer_in_time_may_have_written() -> None:
    """The request may yet take effect."""
    released = threading.Event()
    try:
        with writing(hold(released)) as (_, connection), pytest.raises(Unanswered) as caught:
            import_(connection, "things", LINES, 0.5)
    finally:
        released.set()
    assert str(caught.value) == "no answer: ReadTimeout"


def test_a_connection_that_is_closed_sends_nothing() -> None:
    """It is closed when the server refuses its key."""
    with replying(ALIASES) as server, connected(server) as connection:
        connection.close()
        assert connection._http.is_closed
        assert server.requests == []
