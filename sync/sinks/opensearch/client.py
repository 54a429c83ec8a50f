"""Requests to OpenSearch: compressed, signed, and each failure told for what it is.

Imported by the first write, not before: opensearch-py takes 0.15 s, with boto3 0.3 s.
"""

import gzip
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import opensearchpy
from urllib3 import Timeout

from sync.errors import Misconfigured, Unanswered, Unavailable
from sync.sinks.opensearch.answers import Rejected, request_failure
from sync.sinks.opensearch.indexes import prepare
from sync.sinks.opensearch.settings import Settings

GZIP_LEVEL = 1  # a small part of the default level's time, for a third more bytes

# At INFO and DEBUG they write whole bodies; and what fails is told by an outcome.
for _talkative in ("opensearch", "opensearchpy.trace"):
    logging.getLogger(_talkative).setLevel(logging.ERROR)


class Connection:
    """A kept-alive connection to one endpoint. Never retries: that is the sink's to decide."""

    def __init__(self, settings: Settings) -> None:
        """Raises Misconfigured where requests are to be signed and nobody has credentials."""
        self._refresh = settings.refresh
        self._client = opensearchpy.OpenSearch(
            settings.endpoint,
            connection_class=opensearchpy.RequestsHttpConnection,
            http_auth=_signer(settings.region) if settings.region else None,
            max_retries=0,
        )

    def bulk(self, body: bytes, timeout_s: float) -> Any:
        """The answer to *body*, all of whose targets have to be aliases.

        *timeout_s* bounds connecting, sending, and each wait for a part of the answer. The server
        waits half as long for an index whose shards are nowhere (its default is a minute), so
        that the others' answers still arrive. Raises Retry, or Rejected where a part of the body
        may be why the whole request was.
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
        except AttributeError as error:  # opensearch-py takes an error's body for an object
            raise Unavailable("the answer is an error that OpenSearch doesn't give") from error

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str:
        """See `indexes.prepare`. Raises Retry."""
        try:
            with _failures():
                return prepare(self._client, alias, schema)
        except Rejected as rejected:
            raise Misconfigured(f"{alias}: {rejected}") from rejected


@contextmanager
def _failures() -> Iterator[None]:
    """Translate what opensearch-py raises. Raises Retry or Rejected."""
    try:
        yield
    except opensearchpy.ConnectionTimeout as error:
        raise Unanswered(f"no answer: {type(error.info).__name__}") from error
    except opensearchpy.ConnectionError as error:
        raise Unavailable(f"no answer: {type(error.info).__name__}") from error
    except opensearchpy.TransportError as error:
        told = error.info.get("error") if isinstance(error.info, dict) else None
        raise request_failure(int(error.status_code), told or error.error) from error
    except opensearchpy.SerializationError as error:
        # Its context says where the text stops being JSON; it itself holds the whole text.
        raise Unavailable("the answer is not JSON") from error.__context__


def _signer(region: str) -> Any:
    """Signs requests (SigV4) with the credentials of the moment, wherever boto3 finds them."""
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
