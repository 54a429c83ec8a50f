"""Lambda's way in, for every function of the service."""

import os
from functools import cache
from typing import Any

from sync.aws.clients import client
from sync.runtime.clock import SystemClock
from sync.runtime.deadline import LambdaContext
from sync.service import Service


def handle(event: Any, context: LambdaContext) -> Any:
    """The one entrypoint: sync/service.py looks at the shape of *event* and takes it from there."""
    return service().handle(event, context)


@cache
def service() -> Service:
    """Made by the first event of a container. Raises ConfigError: then nothing is taken on."""
    return Service(os.environ, client, SystemClock())
