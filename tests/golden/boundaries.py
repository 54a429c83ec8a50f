"""A fake search server that records requests, and what the service logs.

Nothing here imports the service. One HTTP server plays OpenSearch and Typesense; how the real ones
answer is tested in tests/contract.
"""

import gzip
import io
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.golden.plain import Json, exact


class Search:
    """OpenSearch and Typesense. A document whose id contains "refused" or "stale" is answered so.

    *down*: every answer is 503. *aliases*: what Typesense answers when asked for its aliases.
    """

    def __init__(self, aliases: Sequence[str] = ()) -> None:
        self.requests: list[Json] = []
        self.down = False
        self.aliases = aliases

    def take(self) -> list[Json]:
        """The requests since the last call of this, but for those that list aliases."""
        found, self.requests = self.requests, []
        return found

    @contextmanager
    def running(self) -> Iterator[str]:
        """Gives the server's URL."""
        search = self

        class Handler(_Handler):
            answer = search._answer

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def _answer(self, method: str, target: str, body: bytes) -> tuple[int, str]:
        url = urlsplit(target)
        path = unquote(url.path)
        if self.down:
            return 503, json.dumps({"message": "down", "error": "down"})
        if (method, path) == ("GET", "/aliases"):
            found = [{"name": name, "collection_name": f"{name}_v1"} for name in self.aliases]
            return 200, json.dumps({"aliases": found})
        lines = [json.loads(line, parse_float=exact) for line in body.splitlines()]
        told = {"request": f"{method} {path}", "query": dict(parse_qsl(url.query))}
        self.requests.append({**told, "lines": lines} if lines else told)
        if path == "/_bulk":
            items = [_item(head) for head in lines if _action(head)]
            return 200, json.dumps({"items": items, "errors": False})
        if path.endswith("/import"):
            return 200, "\n".join(json.dumps(_line(document)) for document in lines)
        if method == "HEAD":
            return 404, ""
        if method == "DELETE":
            return 200, json.dumps({"id": path.rpartition("/")[2]})
        return 200, "[]" if path == "/collections" and method == "GET" else "{}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or the second waits for the first's receipt

    @staticmethod
    def answer(method: str, target: str, body: bytes) -> tuple[int, str]:
        raise NotImplementedError

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        status, text = type(self).answer(self.command, self.path, body)
        data = text.encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("connection", "close")  # so that no client leaves a socket behind
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _handle  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its own name
        del format, args


def _action(line: Json) -> str | None:
    """The action that a line of a bulk request names; None for a document."""
    kinds = [kind for kind in ("index", "delete", "update") if list(line) == [kind]]
    return kinds[0] if kinds and "_index" in line[kinds[0]] else None


def _item(head: Json) -> Json:
    ((kind, told),) = head.items()
    answer = {"_id": told["_id"], "status": 200}
    if told["_index"].endswith("-shadow"):  # nothing is being reindexed
        error = {"type": "index_not_found_exception", "reason": "not an alias"}
        answer |= {"status": 404, "error": error}
    elif "refused" in told["_id"]:
        error = {"type": "mapper_parsing_exception", "reason": "failed to parse"}
        answer |= {"status": 400, "error": error}
    elif "stale" in told["_id"]:
        error = {"type": "version_conflict_engine_exception", "reason": "version conflict"}
        answer |= {"status": 409, "error": error}
    return {kind: answer}


def _line(document: Json) -> Json:
    if "refused" in document["id"]:
        return {"success": False, "code": 400, "error": "Bad value", "id": document["id"]}
    return {"success": True, "id": document["id"]}


class Lines:
    """What the service logs: JSON lines on standard output, where Lambda reads them."""

    def __init__(self) -> None:
        self._out = io.StringIO()

    @contextmanager
    def running(self) -> Iterator[Self]:
        logger = logging.getLogger("sync")
        before = logger.handlers, logger.level, logger.propagate
        logger.handlers = []
        try:
            with redirect_stdout(self._out):
                yield self
        finally:
            logger.handlers, logger.propagate = before[0], before[2]
            logger.setLevel(before[1])

    def read(self) -> list[Json]:
        return [json.loads(line) for line in self._out.getvalue().splitlines()]
