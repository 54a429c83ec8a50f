"""What AWS's errors mean here, and clients that never wait past a deadline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, Final

from sync.errors import Misconfigured, Throttled, Unavailable
from sync.runtime.waits import effect_s

_THROTTLING: Final = frozenset(
    [
        "ThrottlingException",
        "Throttling",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "TooManyRequestsException",
    ]
)


@contextmanager
def failures(what: str) -> Iterator[None]:
    """Translate what boto3 raises while *what* is done. Raises Retry.

    Throttled: AWS asks for less. Unavailable: no answer, or a fault of AWS's own (5xx).
    Misconfigured: any other 4xx: a missing resource, a missing permission, a bad request.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        kind = Throttled if code in _THROTTLING else Unavailable if status >= 500 else Misconfigured
        raise kind(f"{what}: {error}") from error
    except BotoCoreError as error:
        raise Unavailable(f"{what}: {error}") from error


CALL_S: Final = 8.0  # the longest that a client made here takes for one call
EFFECT_S: Final = effect_s(CALL_S)

Clients = Callable[[str], Any]
"""Gives the low-level client of a service, made when it is first asked for."""


_one_at_a_time: Final = Lock()


def client(service: Any) -> Any:
    """A boto3 client, made once, whose calls end within CALL_S: two tries of at most 4 s.

    Several threads may ask, and then share it. Clients are safe to share; to make them at the same
    time is not: they are made from one session, which loads its parts when first asked for them
    (botocore#2985, boto3#1592).
    """
    with _one_at_a_time:
        return _made(service)


@cache
def _made(service: Any) -> Any:
    import boto3
    from botocore.config import Config

    limits = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2})
    return boto3.client(service, config=limits)


def queue_name(url: str) -> str:
    """The name of an SQS queue, which its URL ends with."""
    return url.rpartition("/")[2]
