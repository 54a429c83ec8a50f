"""An HTTP server on loopback that gives the replies that a test tells it to."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.fault_proxy import FaultProxy, Forward, Reply, Request

Told = Mapping[str, Any]
"""Replies by method and path, such as `GET /things`: JSON, a status alone, or a whole reply."""


@contextmanager
def replying(told: Told) -> Iterator[FaultProxy]:
    """A server that gives these replies, and 404 for anything else; it keeps the requests."""

    def reply(request: Request, _forward: Forward) -> Reply:
        found = told.get(named(request), 404)
        if isinstance(found, Reply):
            return found
        if isinstance(found, int):
            return Reply(found, b"{}")
        return Reply(200, json.dumps(found).encode())

    with FaultProxy("http://127.0.0.1") as server:
        server.fail(reply, times=None)
        yield server


def named(request: Request) -> str:
    """Its method and path, without the query."""
    return f"{request.method} {unquote(urlsplit(request.path).path)}"


def sent(server: FaultProxy) -> list[tuple[str, Any]]:
    """The requests, by name, each with what its body holds."""
    return [
        (named(request), json.loads(request.body) if request.body else None)
        for request in server.requests
    ]
