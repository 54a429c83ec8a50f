"""Ways to have a command carried out, and commands that take more than one call."""

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
"""Carries out a payload. Raises ConfigError where the call or a setting is wrong, SyncError for
what went wrong otherwise."""

LONGEST_S: Final = 300  # the admin function's timeout


def deployed(stage: str, client: Any = None) -> Call:
    """By the admin function of *stage*, through *client*, one of boto3's for Lambda.

    Without it, in the account and region that boto3 finds; AWS_ENDPOINT_URL is respected, so an
    emulator will do.
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
    """In this process, which needs the functions' settings and rights; logs go to stderr."""
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
    """The answers to *payload*, page by page, from its cursor on.

    Its "limit" is of all pages together, as *held* counts an answer; *size* is that of one page.
    The last answer has a cursor only if the limit ended it.
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
    """What the function raised, as the same kind of error."""
    kind = error.get("errorType") if isinstance(error, dict) else None
    message = error.get("errorMessage") if isinstance(error, dict) else error
    return ConfigError(message) if kind == "ConfigError" else SyncError(f"{kind}: {message}")
