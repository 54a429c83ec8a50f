"""AWS clients whose calls end soon, and the translation of their errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, Final

from sync.aws.wire import read_plainly
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
    """Translate errors of boto3 in its block to Retry; *what* says what failed.

    Throttled: AWS limits the rate. Unavailable: no answer, or a 5xx. Misconfigured: any other 4xx,
    such as a missing resource, a missing permission or a bad request.
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


CALL_S: Final = 8.0  # the longest that one call of a client takes, its retry included
EFFECT_S: Final = effect_s(CALL_S)

Clients = Callable[[str], Any]
"""Returns the low-level boto3 client of a service, such as "dynamodb"."""


_one_at_a_time: Final = Lock()


def client(service: Any) -> Any:
    """The boto3 client of *service*, made once. Its calls end within CALL_S: two tries of 4 s.

    Threads share it. Clients are thread-safe, but making them is not, since the session loads its
    parts on first use (botocore#2985, boto3#1592); so they are made one at a time.
    """
    with _one_at_a_time:
        return _made(service)


@cache
def _made(service: Any) -> Any:
    import boto3
    from botocore.config import Config

    limits = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 2})
    made = boto3.client(service, config=limits)
    if service == "dynamodb":
        read_plainly(made)
    return made


def queue_name(url: str) -> str:
    """The name of an SQS queue: the last part of its URL."""
    return url.rpartition("/")[2]
