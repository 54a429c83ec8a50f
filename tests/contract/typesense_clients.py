"""The official client, as tests of the Typesense stand-in use it: one try, and a short wait."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from typesense import Client


@contextmanager
def client_of(url: str, key: str = "local") -> Iterator[Client]:
    server = urlsplit(url)
    client = Client(
        {
            "nodes": [
                {"host": server.hostname or "", "port": server.port or 0, "protocol": "http"}
            ],
            "api_key": key,
            "num_retries": 0,
            "connection_timeout_seconds": 30,
        }
    )
    try:
        yield client
    finally:
        client.api_call.close()


def make(client: Client, name: str, *fields: tuple[str, str] | dict[str, Any], **more: Any) -> Any:
    """Create a collection; a pair is a field's name and type."""
    declared = [{"name": f[0], "type": f[1]} if isinstance(f, tuple) else f for f in fields]
    return client.collections.create({"name": name, "fields": declared, **more})  # type: ignore[typeddict-item] # wrong ones are tests too
