"""The Typesense sink under test, and what its server holds."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from typesense import Client

from local.servers.typesense import TypesenseServer
from sync.sinks.typesense import Typesense
from sync.sinks.typesense.client import Connection
from sync.sinks.typesense.documents import decode
from sync.sinks.typesense.settings import Settings
from tests.fault_proxy import Fault, FaultProxy, Forward, Reply, Request, rewrite

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:typesense"
TIMEOUT_S = 20.0

# `text` is left to the documents: the contract puts lists into it, too.
FIELDS: list[Any] = [{"name": "number", "type": "float", "optional": True}]


def settings_of(url: str, timeout_s: float = TIMEOUT_S) -> Settings:
    parts = urlsplit(url)
    return Settings("http", parts.hostname or "", parts.port or 0, ARN, timeout_s)


@contextmanager
def direct_of(
    server: TypesenseServer, url: str, timeout_s: float = TIMEOUT_S, *, key: str | None = None
) -> Iterator[Typesense]:
    """A sink of *server*, reached by *url*, with *key* or the one to everything."""
    made: list[Connection] = []

    def connect() -> Connection:
        made.append(Connection(settings_of(url, timeout_s), key or server.api_key))
        return made[-1]

    try:
        yield Typesense(connect, timeout_s)
    finally:
        for connection in made:
            connection.close()


def is_write(request: Request) -> bool:
    """Whether it is about documents: not if it asks what is behind an alias."""
    return "/documents" in request.path or request.path == "/multi_search"


def writes(proxy: FaultProxy) -> list[Request]:
    return [request for request in proxy.requests if is_write(request)]


def ids_of(request: Request) -> list[str]:
    """The ids of the documents of an import, in order; none of another request."""
    lines = request.body.splitlines() if "/import" in request.path else []
    return [json.loads(line)["id"] for line in lines]


def failing(document_id: str) -> Fault:
    """As a server that can't store one document of an import, and stores those beside it."""
    told = {"code": 500, "error": "Could not write to on-disk storage.", "success": False}

    def fault(request: Request, forward: Forward) -> Reply | None:
        ids, lines = ids_of(request), request.body.split(b"\n")
        others = [line for id_, line in zip(ids, lines, strict=True) if id_ != document_id]

        def with_failure(answer: bytes) -> bytes:
            answers = answer.split(b"\n") if others else []
            answers.insert(ids.index(document_id), json.dumps(told).encode())
            return b"\n".join(answers)

        return rewrite(with_failure)(replace(request, body=b"\n".join(others)), forward)

    return fault


def make_target(client: Client, target: str, *fields: Any) -> None:
    """A collection, and *target*, its alias."""
    declared = list(fields or FIELDS)
    client.collections.create(
        {"name": f"{target}_v1", "enable_nested_fields": True, "fields": declared}
    )
    client.aliases.upsert(target, {"collection_name": f"{target}_v1"})


def held(client: Client, target: str) -> dict[str, Mapping[str, Any]]:
    """All documents of *target*, as they were sent, by id."""
    lines = client.collections[target].documents.export().split("\n")
    found = [json.loads(line, parse_float=Decimal) for line in lines if line]
    return {document["id"]: decode(document) for document in found}
