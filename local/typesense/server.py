"""The stand-in on a port of 127.0.0.1, in a thread of this process."""

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from local.processes import free_port
from local.typesense.answers import Document, Refusal
from local.typesense.api import Api, Call
from local.typesense.routes import ROUTES

_KEY_HEADER = "x-typesense-api-key"


class TypesenseServer:
    """A server that can be stopped and started again on the same port with its documents.

    *port* 0 means a free one. *api_key* may do everything.
    """

    def __init__(self, *, port: int = 0, api_key: str = "local") -> None:
        self.port = port or free_port()
        self.api_key = api_key
        self._api = Api(ROUTES, api_key)
        self._api.trap = self._refused
        self._refusals: dict[str, list[Refusal]] = {}
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL, the same for as long as this object lives."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start, and return when it listens; if it runs already, do nothing.

        Raises OSError when the port is taken.
        """
        if self._server is None:
            self._server = _Server(("127.0.0.1", self.port), _Handler)
            self._server.api = self._api
            self._thread = threading.Thread(
                target=self._server.serve_forever, args=(0.05,), name="typesense"
            )
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stop, cutting what is connected; documents, aliases and keys stay for the next start."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.close_all()
            self._thread.join()
            self._server = self._thread = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def refuse(
        self,
        document_id: str,
        *,
        code: int = 500,
        error: str = "Could not write to on-disk storage.",
        times: int = 1,
    ) -> None:
        """Let the next *times* writes of one document fail, in whatever collection, while those
        beside it in an import succeed.
        """
        self._refusals.setdefault(document_id, []).extend([Refusal(code, error)] * times)

    def _refused(self, collection: str, document: Document) -> Refusal | None:
        del collection
        waiting = self._refusals.get(document["id"])
        return waiting.pop(0) if waiting else None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    api: Api

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_all(self) -> None:
        """Stop listening, and hang up on everyone, as the end of a process would."""
        self.server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # it has hung up by itself
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show bugs, but not clients that hang up."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections, as the real one does
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        key = self.headers.get(_KEY_HEADER) or params.get(_KEY_HEADER, "")
        reply = self.server.api.serve(Call(self.command, url.path, params, url.query, key, body))
        with suppress(OSError):  # a client that no longer waits
            self.send_response_only(reply.status)
            self.send_header("content-type", reply.content_type)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Nothing."""
