"""The Typesense sink under test, and what its server holds."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from typesense import Client

from local.typesense import TypesenseServer
from sync.sinks.typesense import TypesenseDirect
from sync.sinks.typesense.client import Connection
from sync.sinks.typesense.documents import decode
from sync.sinks.typesense.settings import Settings
from tests.contract.typesense_clients import make

ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:typesense"
TIMEOUT_S = 20.0

# `text` is left to the documents: the contract puts lists into it, too.
FIELDS: list[Any] = [{"name": "number", "type": "float", "optional": True}]


def settings_of(url: str, timeout_s: float = TIMEOUT_S) -> Settings:
    parts = urlsplit(url)
    return Settings("http", parts.hostname or "", parts.port or 0, ARN, timeout_s)


@contextmanager
def direct_of(
    server: TypesenseServer, url: str, timeout_s: float = TIMEOUT_S
) -> Iterator[TypesenseDirect]:
    """A sink of *server*, reached by *url*."""
    made: list[Connection] = []

    def connect() -> Connection:
        made.append(Connection(settings_of(url, timeout_s), server.api_key))
        return made[-1]

    try:
        yield TypesenseDirect(connect, timeout_s)
    finally:
        for connection in made:
            connection.close()


def make_target(client: Client, target: str, *fields: Any) -> None:
    """A collection, and *target*, its alias."""
    make(client, f"{target}_v1", *(fields or FIELDS), enable_nested_fields=True)
    client.aliases.upsert(target, {"collection_name": f"{target}_v1"})


def held(client: Client, target: str) -> dict[str, Mapping[str, Any]]:
    """All documents of *target*, as they were sent, by id."""
    lines = client.collections[target].documents.export().split("\n")
    found = [json.loads(line, parse_float=Decimal) for line in lines if line]
    return {document["id"]: decode(document) for document in found}
