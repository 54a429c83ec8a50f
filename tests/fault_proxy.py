"""An HTTP proxy on loopback that fails on demand, between a client and a real server.

A fault stands for the server: it gets a request and `forward`, which asks the real one, and gives
the reply, or None to cut the connection. Every request is kept as it came, for tests to look at.
"""

import http.client
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str  # with the query
    headers: Headers
    body: bytes  # as sent: compressed, if the client compresses

    def header(self, name: str) -> str | None:
        """The first value of *name*, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes = b""
    headers: Headers = (("content-type", "application/json"),)
    held_back: int = 0  # bytes of the body that are announced, but cut off


Forward = Callable[[Request], Reply]
Fault = Callable[[Request, Forward], Reply | None]


def answer(status: int, body: bytes = b"", content_type: str = "application/json") -> Fault:
    """Answer without asking the server."""
    return lambda *_: Reply(status, body, (("content-type", content_type),))


def cut_before(request: Request, forward: Forward) -> None:
    """Cut the connection; the server never sees the request."""


def cut_after(request: Request, forward: Forward) -> None:
    """Cut the connection once the server has done what was asked."""
    forward(request)


def cut_within(request: Request, forward: Forward) -> Reply:
    """Cut the connection in the middle of the server's answer."""
    reply = forward(request)
    return replace(reply, held_back=len(reply.body) // 2)


def hold(released: threading.Event) -> Fault:
    """Keep the client waiting until *released* is set, then forward."""

    def fault(request: Request, forward: Forward) -> Reply:
        released.wait()
        return forward(request)

    return fault


def rewrite(change: Callable[[bytes], bytes]) -> Fault:
    """Forward, and give the server's answer, uncompressed, as *change* makes it."""

    def fault(request: Request, forward: Forward) -> Reply:
        plain = tuple(h for h in request.headers if h[0].lower() != "accept-encoding")
        reply = forward(replace(request, headers=plain))
        return replace(reply, body=change(reply.body))

    return fault


@dataclass(slots=True)
class Rule:
    """A fault for the next *times* requests that are *about* it; None: for all."""

    fault: Fault
    times: int | None
    about: Callable[[Request], bool]
    used: int = 0

    def takes(self, request: Request) -> bool:
        return (self.times is None or self.used < self.times) and self.about(request)


@dataclass
class FaultProxy:
    """Forwards to *upstream* (a base URL, which may be set anew) what no rule catches.

    *concerned*: which requests rules are about that don't say.
    """

    upstream: str
    concerned: Callable[[Request], bool] = lambda _: True
    requests: list[Request] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    bugs: list[BaseException] = field(default_factory=list)  # raised by faults; shown at the end

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(
        self,
        fault: Fault,
        *,
        times: int | None = 1,
        about: Callable[[Request], bool] | None = None,
    ) -> Rule:
        """Let *fault* answer; of several rules that fit, the first made does."""
        rule = Rule(fault, times, about or self.concerned)
        with self._lock:
            self.rules.append(rule)
        return rule

    def heal(self) -> None:
        """Drop all rules, and forget the requests seen."""
        with self._lock:
            self.rules.clear()
            self.requests.clear()

    def reply(self, request: Request) -> Reply | None:
        """What the client gets: the first rule's fault, or the server's answer."""
        with self._lock:
            self.requests.append(request)
            rule = next((rule for rule in self.rules if rule.takes(request)), None)
            if rule:
                rule.used += 1
        return rule.fault(request, self._forward) if rule else self._forward(request)

    def _forward(self, request: Request) -> Reply:
        server = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=60)
        try:
            headers = {k: v for k, v in request.headers if k.lower() not in {*HOP_BY_HOP, "host"}}
            connection.request(request.method, request.path, request.body or None, headers)
            response = connection.getresponse()
            kept = (h for h in response.getheaders() if h[0].lower() not in HOP_BY_HOP)
            return Reply(response.status, response.read(), tuple(kept))
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if error is None and self.bugs:
            raise self.bugs[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a held request must not hold up the end of a test
    proxy: FaultProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep bugs for the test; clients that hang up are what a proxy like this sees daily."""
        del request, client_address
        error = sys.exception()
        if error and not isinstance(error, OSError):
            self.proxy.bugs.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections, as servers do
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        request = Request(self.command, self.path, tuple(self.headers.items()), body)
        try:
            reply = self.server.proxy.reply(request)
        except (OSError, http.client.HTTPException):  # the server is down, or goes down just now
            reply = None
        if reply is None or reply.held_back:
            self.close_connection = True
        if reply is None:
            return
        with suppress(OSError):  # a client that no longer waits
            self.send_response_only(reply.status)
            self._headers(reply.headers, len(reply.body))
            if self.command != "HEAD":
                self.wfile.write(reply.body[: len(reply.body) - reply.held_back])

    def _headers(self, headers: Iterable[tuple[str, str]], length: int) -> None:
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(length))
        self.end_headers()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Nothing: the requests are kept."""
