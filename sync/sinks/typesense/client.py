"""Requests to Typesense through its official client, and each failure told for what it is.

Imported by the first write, not before: client and httpx take about 0.17 s.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
import typesense
from typesense.exceptions import TypesenseClientError
from typesense.sync.document import Document

from sync.errors import Misconfigured, Unanswered, Unavailable
from sync.sinks.typesense.aliases import prepare, targets
from sync.sinks.typesense.answers import TooLarge, is_missing_document, request_failure
from sync.sinks.typesense.settings import Settings

# At INFO it writes a line for each request, with the ids of documents.
logging.getLogger("httpx").setLevel(logging.WARNING)

# An id that a URL takes for a way: with "..", deleting a document becomes deleting the collection.
_DOTS = frozenset([".", ".."])


_KNOWN_S = 1.0  # how long it is believed which collection is behind an alias
_OTHER_JSON = (ValueError, AttributeError, KeyError, TypeError)  # what is made of it, or of none


class Connection:
    """A kept-alive connection to one server. Never retries: that is the sink's to decide."""

    def __init__(self, settings: Settings, api_key: str) -> None:
        self._timeout_s = settings.timeout_s
        self._http = httpx.Client()
        self._client = typesense.Client(
            {
                "nodes": [
                    {
                        "protocol": settings.protocol,
                        "host": settings.host,
                        "port": settings.port,
                    }
                ],
                "api_key": api_key,
                "num_retries": 0,
            },
            http_client=self._http,
        )
        self._known: dict[str, str] = {}  # the collection behind each alias
        self._known_until = 0.0

    def close(self) -> None:
        self._http.close()

    def import_(self, target: str, lines: bytes, timeout_s: float) -> str:
        """The answer to upserting the documents of *lines*: a line for each of them.

        Values of a wrong type are refused, never changed to fit. *timeout_s* bounds connecting,
        sending, and each wait for a part of the answer. Raises Retry or TooLarge.
        """
        collection, left_s = self._collection(target, timeout_s)
        with self._failures(left_s):
            return self._client.collections[collection].documents.import_(
                lines, {"action": "upsert", "dirty_values": "reject", "return_id": True}
            )

    def delete(self, target: str, document_id: str, timeout_s: float) -> Any:
        """The answer to deleting a document, whether it is there or not. Raises Retry."""
        collection, left_s = self._collection(target, timeout_s)
        with self._failures(left_s):
            if document_id in _DOTS:
                return self._client.collections[collection].documents.delete(
                    {"filter_by": f"id:[`{document_id}`]"}
                )
            # The client puts an id into a URL as it is. Its own way to a document, by item, keeps
            # an object for each id for good.
            document: Document[Any] = Document(
                self._client.api_call, collection, quote(document_id, safe="")
            )
            try:
                return document.delete({"ignore_not_found": True})
            except TypesenseClientError as error:
                if is_missing_document(*_told(error)):
                    return {"id": document_id}
                raise

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        """See `aliases.prepare`. Raises Retry."""
        try:
            with self._failures(self._timeout_s):
                return prepare(self._client, alias, schema)
        except TooLarge as error:
            raise Misconfigured(f"{alias}: {error}") from error

    def _collection(self, alias: str, timeout_s: float) -> tuple[str, float]:
        """The collection behind *alias*, and what looking it up left of *timeout_s*. Raises Retry.

        A document is written under its collection's own name. When Typesense starts it does again
        what its log says, in a queue for each name that stands in a path: by an alias a document
        may come before the alias is there again, and is then lost without a word (seen with
        0.24.1; by its sources 30 looks an alias up no later).
        """
        began = time.monotonic()
        if began >= self._known_until:
            try:
                with self._failures(timeout_s):
                    self._known = targets(self._client)
            except (Unanswered, TooLarge) as error:  # a question takes no effect
                raise Unavailable(f"looking up the alias {alias}: {error}") from error
            self._known_until = began + _KNOWN_S
        if alias not in self._known:
            raise Misconfigured(f"404 there is no alias {alias}", of_target=True)
        left_s = timeout_s - (time.monotonic() - began)
        if left_s <= 0:
            raise Unavailable(f"looking up the alias {alias} left no time to write")
        return self._known[alias], left_s

    @contextmanager
    def _failures(self, timeout_s: float) -> Iterator[None]:
        """Translate what the client raises. Raises Retry or TooLarge."""
        self._http.timeout = httpx.Timeout(timeout_s)
        try:
            yield
        except TypesenseClientError as error:
            raise request_failure(*_told(error)) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unavailable(f"no connection: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise Unanswered(f"no answer: {type(error).__name__}") from error
        except _OTHER_JSON as error:
            raise Unanswered("the answer is none that Typesense gives") from error


def _told(error: TypesenseClientError) -> tuple[Any, Any]:
    """Status and message."""
    status, message = error.args if len(error.args) == 2 else (None, str(error))
    return status, message
