"""Sends requests to Typesense through its official client, and translates errors.

The first write imports it: importing client and httpx takes about 0.17 s.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import typesense
from typesense.exceptions import TypesenseClientError
from typesense.sync.document import Document

from sync.errors import Misconfigured, Unanswered, Unavailable
from sync.sinks.typesense import places
from sync.sinks.typesense.aliases import prepare, targets
from sync.sinks.typesense.answers import TooLarge, is_missing_document, request_failure
from sync.sinks.typesense.settings import Settings
from sync.writing.shadows import Places

# At INFO it logs a line for each request, with the ids of documents.
logging.getLogger("httpx").setLevel(logging.WARNING)

# Ids that are path segments in a URL: ".." would delete the collection instead of the document.
_DOTS = frozenset([".", ".."])

KNOWN_S = 1.0  # how long the looked-up aliases are used
_OTHER_JSON = (ValueError, AttributeError, KeyError, TypeError)  # raised for unexpected or no JSON


class Connection:
    """A kept-alive connection to one server. Never retries: the sink does."""

    def __init__(self, settings: Settings, api_key: str) -> None:
        self._timeout_s = settings.timeout_s
        self._url = f"{settings.protocol}://{settings.host}:{settings.port}"
        self._headers = {"X-TYPESENSE-API-KEY": api_key}
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

    def places(self, alias: str, timeout_s: float) -> tuple[Places, float]:
        """The collections that documents of *alias* are written to, and how much of *timeout_s* the
        lookup left. Raises Retry.

        Documents are written under the collection's name, since a restart may lose those written
        under an alias. Typesense then replays its log, in one queue for each name in a URL. If a
        document's turn comes before its alias exists again, it is lost without an error (seen with
        0.24.1; by its sources version 30 resolves aliases at the same point).
        """
        began = time.monotonic()
        if began >= self._known_until:
            try:
                with self._failures(timeout_s):
                    self._known = targets(self._client)
            except (Unanswered, TooLarge) as error:  # a lookup changes nothing
                raise Unavailable(f"looking up the alias {alias}: {error}") from error
            self._known_until = began + KNOWN_S
        if alias not in self._known:
            raise Misconfigured(f"404 there is no alias {alias}", of_target=True)
        left_s = timeout_s - (time.monotonic() - began)
        if left_s <= 0:
            raise Unavailable(f"looking up the alias {alias} left no time to write")
        return places.among(self._known, alias), left_s

    def import_(self, collection: str, lines: bytes, timeout_s: float) -> str:
        """Upsert the documents of *lines* and return the answer, a line for each document.

        Typesense rejects values of a wrong type instead of coercing them. *timeout_s* bounds
        connecting, sending, and each wait for a part of the answer. Raises Retry or TooLarge.
        """
        with self._failures(timeout_s):
            return self._client.collections[collection].documents.import_(
                lines, {"action": "upsert", "dirty_values": "reject", "return_id": True}
            )

    def delete(self, collection: str, document_id: str, timeout_s: float) -> Any:
        """Delete a document, if it exists, and return the answer. Raises Retry."""
        with self._failures(timeout_s):
            if document_id in _DOTS:
                return self._client.collections[collection].documents.delete(
                    {"filter_by": f"id:[`{document_id}`]"}
                )
            # The client does not percent-encode ids, and its `documents[id]` keeps an object for
            # each id forever.
            document: Document[Any] = Document(
                self._client.api_call, collection, quote(document_id, safe="")
            )
            try:
                return document.delete({"ignore_not_found": True})
            except TypesenseClientError as error:
                if is_missing_document(*_status_and_message(error)):
                    return {"id": document_id}
                raise

    def documents(self, target: str, ids: Sequence[str], timeout_s: float) -> list[Any]:
        """Those of *ids*, at most 250 without a backtick, that exist. Raises Retry or TooLarge."""
        collection, left_s = self._collection(target, timeout_s)
        listed = ",".join(f"`{id_}`" for id_ in ids)
        search = {
            "collection": collection,
            "q": "*",
            "filter_by": f"id:[{listed}]",
            "per_page": len(ids),
        }
        with self._failures(left_s):
            answer = self._http.post(
                f"{self._url}/multi_search", json={"searches": [search]}, headers=self._headers
            )
            (found,) = _read(answer)["results"]
            if "hits" not in found:
                raise request_failure(found.get("code"), found.get("error"))
            return [hit["document"] for hit in found["hits"]]

    def document(self, target: str, document_id: str, timeout_s: float) -> Any:
        """The document, or None if it does not exist. Raises Retry or TooLarge."""
        collection, left_s = self._collection(target, timeout_s)
        path = f"/collections/{collection}/documents/{quote(document_id, safe='')}"
        with self._failures(left_s):
            answer = self._http.get(f"{self._url}{path}", headers=self._headers)
            if is_missing_document(answer.status_code, _message(answer)):
                return None
            return _read(answer)

    def export_ids(self, target: str, timeout_s: float) -> Iterator[str]:
        """The ids of all documents, in the order in which they came, while they arrive.

        *timeout_s* bounds each wait for a part of the answer. Raises Retry or TooLarge.
        """
        collection, left_s = self._collection(target, timeout_s)
        path = f"/collections/{collection}/documents/export?include_fields=id"
        with (
            self._failures(left_s),
            self._http.stream("GET", f"{self._url}{path}", headers=self._headers) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise request_failure(answer.status_code, _message(answer))
            for line in answer.iter_lines():
                if line:
                    yield json.loads(line)["id"]

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        """See `aliases.prepare`. Raises Retry."""
        with self._named(alias):
            return prepare(self._client, alias, schema)

    def places_now(self, alias: str) -> Places:
        """See `places.places`. Raises Retry."""
        with self._named(alias):
            return places.places(self._client, alias)

    def shadow(self, alias: str, schema: Mapping[str, Any]) -> Places:
        """See `places.shadow`. Raises Retry."""
        with self._named(alias):
            return places.shadow(self._client, alias, schema)

    def swap(self, alias: str, live: str) -> Places:
        """See `places.swap`. Raises Retry."""
        with self._named(alias):
            return places.swap(self._client, alias, live)

    def drop(self, alias: str, shadow: str) -> Places:
        """See `places.drop`. Raises Retry."""
        with self._named(alias):
            return places.drop(self._client, alias, shadow)

    @contextmanager
    def _named(self, alias: str) -> Iterator[None]:
        """Errors of requests about *alias* itself. Raises Retry."""
        try:
            with self._failures(self._timeout_s):
                yield
        except TooLarge as error:
            raise Misconfigured(f"{alias}: {error}") from error

    def _collection(self, alias: str, timeout_s: float) -> tuple[str, float]:
        """The collection that *alias* names, and how much of *timeout_s* is left. Raises Retry."""
        found, left_s = self.places(alias, timeout_s)
        assert found.live is not None  # noqa: S101 - else `places` raises
        return found.live, left_s

    @contextmanager
    def _failures(self, timeout_s: float) -> Iterator[None]:
        """Translate the client's exceptions. Raises Retry or TooLarge."""
        self._http.timeout = httpx.Timeout(timeout_s)
        try:
            yield
        except TypesenseClientError as error:
            raise request_failure(*_status_and_message(error)) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unavailable(f"no connection: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise Unanswered(f"no answer: {type(error).__name__}") from error
        except _OTHER_JSON as error:
            raise Unanswered("the answer is not in Typesense's format") from error


def _read(answer: httpx.Response) -> Any:
    """The JSON of *answer*, with exact numbers. Raises Retry or TooLarge."""
    if not answer.is_success:
        raise request_failure(answer.status_code, _message(answer))
    return json.loads(answer.text, parse_float=Decimal)


def _message(answer: httpx.Response) -> str:
    """What the error *answer* says, in Typesense's form or another's."""
    try:
        return str(answer.json()["message"])
    except (ValueError, LookupError, TypeError):
        return answer.text


def _status_and_message(error: TypesenseClientError) -> tuple[Any, Any]:
    status, message = error.args if len(error.args) == 2 else (None, str(error))
    return status, message
