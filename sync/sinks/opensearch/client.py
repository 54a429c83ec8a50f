"""Sends requests to OpenSearch: compresses and signs them, translates errors.

The first write imports it: importing opensearch-py takes 0.15 s, with boto3 0.3 s.
"""

import gzip
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import opensearchpy
from urllib3 import Timeout

from sync.errors import Misconfigured, Unanswered, Unavailable
from sync.sinks.opensearch import indexes, places
from sync.sinks.opensearch.answers import Rejected, request_failure
from sync.sinks.opensearch.settings import Settings
from sync.writing.shadows import Places

GZIP_LEVEL = 1  # takes a fraction of the default level's time, for a third more bytes

# At INFO and DEBUG they log whole bodies. Failures are logged from outcomes.
for _talkative in ("opensearch", "opensearchpy.trace"):
    logging.getLogger(_talkative).setLevel(logging.ERROR)


class _Exact(opensearchpy.JSONSerializer):
    """Reads answers with exact numbers: a document may hold 38 digits."""

    def loads(self, text: str) -> Any:
        try:
            return json.loads(text, parse_float=Decimal)
        except ValueError as error:
            raise opensearchpy.SerializationError("not JSON") from error


class Connection:
    """A kept-alive connection to one endpoint. Never retries: the sink does."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured if requests have to be signed and there are no credentials."""
        self._refresh = settings.refresh
        self._client = opensearchpy.OpenSearch(
            settings.endpoint,
            connection_class=opensearchpy.RequestsHttpConnection,
            http_auth=_signer(settings.region) if settings.region else None,
            max_retries=0,
            serializer=_Exact(),
        )

    def bulk(self, body: bytes, timeout_s: float) -> Any:
        """Send a bulk request and return the answer. Every target has to be an alias.

        *timeout_s* bounds connecting, sending, and each wait for a part of the answer. The server
        waits half as long for an index whose shards are unavailable (its default is a minute), so
        that the results of other indexes still arrive. Raises Retry, or Rejected if a part of
        *body* may be why the whole request was rejected.
        """
        try:
            with _failures():
                return self._client.transport.perform_request(
                    "POST",
                    "/_bulk",
                    params={
                        "require_alias": "true",
                        "refresh": self._refresh,
                        "timeout": f"{timeout_s * 500:.0f}ms",
                    },
                    body=gzip.compress(body, GZIP_LEVEL, mtime=0),
                    headers={
                        "content-type": "application/x-ndjson",
                        "content-encoding": "gzip",
                        "accept-encoding": "gzip",
                    },
                    timeout=Timeout(total=timeout_s),  # type: ignore[arg-type] # requests takes it
                )
        except AttributeError as error:  # opensearch-py expects an error's body to be an object
            raise Unavailable("the answer is an error, but not in OpenSearch's format") from error

    def documents(self, alias: str, ids: Sequence[str], timeout_s: float) -> Any:
        """The answer to a multi-get of *ids*, which sees writes before a refresh. Raises Retry."""
        return self._ask("POST", f"/{alias}/_mget", timeout_s, {"ids": list(ids)})

    def shards(self, alias: str, timeout_s: float) -> Any:
        """The answer that names the index behind *alias*, and its shards. Raises Retry."""
        return self._ask("GET", f"/{alias}/_search_shards", timeout_s)

    def refresh(self, alias: str, timeout_s: float) -> None:
        """Let searches find all that was written. Raises Retry."""
        self._ask("POST", f"/{alias}/_refresh", timeout_s)

    def search(self, index: str, shard: int, query: Mapping[str, Any], timeout_s: float) -> Any:
        """The answer to *query* of one shard of *index*. Raises Retry."""
        params = {"preference": f"_shards:{shard}", "allow_partial_search_results": "false"}
        return self._ask("POST", f"/{index}/_search", timeout_s, query, params)

    def _ask(
        self,
        method: str,
        path: str,
        timeout_s: float,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer to a request that changes no document. Raises Retry."""
        try:
            with _failures():
                return self._client.transport.perform_request(
                    method,
                    path,
                    params=dict(params or {}),
                    body=body,
                    timeout=Timeout(total=timeout_s),  # type: ignore[arg-type] # requests takes it
                )
        except Rejected as rejected:
            raise Misconfigured(f"{method} {path}: {rejected}") from rejected
        except AttributeError as error:  # as in `bulk`
            raise Unavailable("the answer is an error, but not in OpenSearch's format") from error

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        """See `indexes.prepare`. Raises Retry."""
        with named(alias):
            return indexes.prepare(self._client, alias, schema)

    def places(self, alias: str) -> Places:
        """See `places.places`. Raises Retry."""
        with named(alias):
            return places.places(self._client, alias)

    def shadow(self, alias: str, schema: Mapping[str, Any]) -> Places:
        """See `places.shadow`. Raises Retry."""
        with named(alias):
            return places.shadow(self._client, alias, schema)

    def swap(self, alias: str, live: str) -> Places:
        """See `places.swap`. Raises Retry."""
        with named(alias):
            return places.swap(self._client, alias, live)

    def drop(self, alias: str, shadow: str) -> Places:
        """See `places.drop`. Raises Retry."""
        with named(alias):
            return places.drop(self._client, alias, shadow)


@contextmanager
def named(alias: str) -> Iterator[None]:
    """Errors of requests about *alias* itself. Raises Retry."""
    try:
        with _failures():
            yield
    except Rejected as rejected:
        raise Misconfigured(f"{alias}: {rejected}") from rejected


@contextmanager
def _failures() -> Iterator[None]:
    """Translate opensearch-py's exceptions. Raises Retry or Rejected."""
    try:
        yield
    except opensearchpy.ConnectionTimeout as error:
        raise Unanswered(f"no answer: {type(error.info).__name__}") from error
    except opensearchpy.ConnectionError as error:
        raise Unavailable(f"no answer: {type(error.info).__name__}") from error
    except opensearchpy.TransportError as error:
        detail = error.info.get("error") if isinstance(error.info, dict) else None
        raise request_failure(int(error.status_code), detail or error.error) from error
    except opensearchpy.SerializationError as error:
        # The error quotes the whole text; its context says only where that stops being JSON.
        raise Unavailable("the answer is not JSON") from error.__context__


def _signer(region: str) -> Any:
    """Signs requests (SigV4) with the credentials that boto3 finds, refreshed when they expire."""
    import boto3
    from botocore.exceptions import BotoCoreError
    from requests import PreparedRequest
    from requests_aws4auth import AWS4Auth

    try:
        credentials = boto3.Session(region_name=region).get_credentials()
    except BotoCoreError as error:
        raise Misconfigured(f"no AWS credentials: {type(error).__name__}") from error
    if credentials is None:
        raise Misconfigured("OPENSEARCH_AUTH is aws, but boto3 finds no credentials")
    sign = AWS4Auth(refreshable_credentials=credentials, region=region, service="es")

    def signed(request: PreparedRequest) -> PreparedRequest:
        try:
            return sign(request)  # type: ignore[no-any-return] # it has no types
        except BotoCoreError as error:
            raise Misconfigured(f"no AWS credentials: {type(error).__name__}") from error

    return signed
