"""Runs commands, in the admin function or in this process, page by page where needed."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sync.errors import ConfigError, SyncError

Payload = Mapping[str, Any]
Answer = dict[str, Any]
Call = Callable[[Payload], Answer]
"""Runs the command of a payload and returns its answer. Raises ConfigError if the call or a setting
is wrong, SyncError for any other failure."""

LONGEST_S: Final = 300  # the admin function's timeout


def deployed(stage: str, client: Any = None) -> Call:
    """Runs commands in the admin function of *stage*, through *client*, boto3's for Lambda.

    Without *client*, uses the account and region that boto3 finds, or the emulator that
    AWS_ENDPOINT_URL names.
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        NoRegionError,
        ProfileNotFound,
    )

    function = f"stream-sync-{stage}-admin"
    limits = Config(
        connect_timeout=5, read_timeout=LONGEST_S + 10, retries={"total_max_attempts": 1}
    )

    def call(payload: Payload) -> Answer:
        try:
            functions = client or boto3.client("lambda", config=limits)
            answer = functions.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
            body = json.loads(answer["Payload"].read())
        except (NoCredentialsError, NoRegionError, ProfileNotFound) as error:
            raise ConfigError(str(error)) from error
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise ConfigError(f"{function} is not deployed here: {error}") from error
            raise SyncError(f"{function}: {error}") from error
        except BotoCoreError as error:
            raise SyncError(f"{function}: {error}") from error
        if "FunctionError" in answer:
            raise _raised(body)
        result: Answer = body
        return result

    return call


def here() -> Call:
    """Runs commands in this process, with the functions' settings and rights; logs to stderr."""
    from sync.aws.clients import client
    from sync.commands import run
    from sync.runtime.clock import SystemClock
    from sync.runtime.deadline import Deadline
    from sync.runtime.log import JsonLines, logger
    from sync.service import Service

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logger.addHandler(handler)
    logger.propagate = False
    service = Service(os.environ, client, SystemClock())
    return lambda payload: dict(run(payload, service, Deadline(LONGEST_S)))


def pages(
    call: Call, payload: Payload, *, held: Callable[[Answer], int], size: int
) -> Iterator[Answer]:
    """Yields the answers to *payload*, page by page, from its cursor on.

    Its "limit" is for all pages together; *size* is the limit of one page, and *held* counts what
    an answer holds. The last answer has a cursor only if the limit ended the paging.
    """
    cursor: str | None = payload.get("cursor")
    left: int | None = payload.get("limit")
    while left is None or left > 0:
        most = size if left is None else min(size, left)
        answer = call({**payload, "limit": most, "cursor": cursor})
        yield answer
        cursor = answer["cursor"]
        if cursor is None:
            return
        if left is not None:
            left -= held(answer)


def _raised(error: Any) -> SyncError:
    """The function's error, as an exception of the same kind."""
    kind = error.get("errorType") if isinstance(error, dict) else None
    message = error.get("errorMessage") if isinstance(error, dict) else error
    return ConfigError(message) if kind == "ConfigError" else SyncError(f"{kind}: {message}")
