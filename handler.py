"""The Lambda entrypoint of every function: calls the part that handles an event of this kind."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from sync.aws.clients import client
from sync.errors import RecordError
from sync.runtime import log
from sync.runtime.clock import SystemClock
from sync.runtime.deadline import Deadline, LambdaContext
from sync.service import Service


def handle(event: Any, context: LambdaContext) -> Any:
    """Handle one Lambda event. Raises RecordError for an event of unknown shape."""
    return run(event, context, service())


@cache
def service() -> Service:
    """The container's service, built by its first event. Raises ConfigError."""
    return Service(os.environ, client, SystemClock())


def run(event: Any, context: LambdaContext, service: Service) -> Any:
    """Handle *event* with the part of *service* for its kind. Raises RecordError."""
    log.begin(context.aws_request_id)
    try:
        kind = next((kind for kind in KINDS if kind.fits(event)), None)
        if kind is None:
            raise RecordError(f"no handler for an event like this: {_shape(event)}")
        return kind.take(service, event, service.deadline(context))
    finally:
        service.metrics.flush()


class Kind(NamedTuple):
    """A kind of event: *fits* recognises it, *take* handles it and returns the answer to Lambda."""

    fits: Callable[[Any], bool]
    take: Callable[[Service, Any, Deadline], Any]


def _is_command(event: Any) -> bool:
    return isinstance(event, dict) and "command" in event


def _command(service: Service, event: Any, deadline: Deadline) -> Any:
    from sync.commands import run  # slow to import, and no other event needs them

    return run(event, service, deadline)


def _is_stream(event: Any) -> bool:
    return "aws:dynamodb" in _sources(event)


def _stream(service: Service, event: Any, deadline: Deadline) -> Any:
    return service.dispatcher.run(event["Records"], deadline)


def _is_queue(event: Any) -> bool:
    return _sources(event) == {"aws:sqs"}


def _queue(service: Service, event: Any, deadline: Deadline) -> Any:
    records = event["Records"]  # all of one queue; its ARN ends with its name
    queue = str(records[0].get("eventSourceARN", "")).rpartition(":")[2]
    return service.queue(queue)(records, deadline)


KINDS = (
    Kind(_is_command, _command),
    Kind(_is_stream, _stream),
    Kind(_is_queue, _queue),
)


def _sources(event: Any) -> set[str]:
    """The event sources of the records of *event*; empty if it holds no records."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        return set()
    named = (record.get("eventSource") for record in records if isinstance(record, dict))
    return {source for source in named if isinstance(source, str)}


def _shape(event: Any) -> str:
    """What an error may say of *event*: its keys, never its values."""
    return (
        f"keys {sorted(map(str, event))[:10]}" if isinstance(event, dict) else type(event).__name__
    )
