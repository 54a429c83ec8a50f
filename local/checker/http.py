"""One request to a server on this machine, with the standard library alone."""

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from local.checker.values import Unreadable

_TIMEOUT_S: Final = 60


def ask(
    url: str,
    method: str,
    path: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """The text of the answer. Raises Unreadable with the request and its failure."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, HTTPException) as error:
        reason = f"{type(error).__name__}: {error}"
        raise Unreadable(f"{method} {url}{path}: {reason}") from error
    finally:
        connection.close()
    if answer.status >= 400:
        raise Unreadable(f"{method} {url}{path}: {answer.status}: {text[:300]}")
    return text
