"""Takes over the streams of a deployed function from the mappings that deliver them."""

from typing import Any

from botocore.config import Config

from local.delivery.aws import EpochClock, LambdaInvoker, StreamReader
from local.delivery.destinations import destination
from local.delivery.driver import Observer, StreamDriver
from local.delivery.settings import MappingSettings
from sync.errors import ConfigError

LONGEST_INVOCATION_S = 900  # the longest timeout that a function can have


class _Clients:
    """Makes clients that make no retries, and wait for as long as a function may run."""

    def __init__(self, session: Any, endpoint_url: str | None) -> None:
        self._session = session
        self._endpoint_url = endpoint_url

    def client(self, service: str) -> Any:
        config = Config(
            connect_timeout=5,
            read_timeout=LONGEST_INVOCATION_S + 10 if service == "lambda" else 10,
            retries={"total_max_attempts": 1},
        )
        return self._session.client(service, endpoint_url=self._endpoint_url, config=config)


def take_over(
    function_name: str,
    session: Any,
    *,
    endpoint_url: str | None = None,
    observer: Observer | None = None,
) -> list[StreamDriver]:
    """Disable the stream mappings of *function_name*; return a driver for each, not yet started.

    *session* is a boto3.Session. Raises ConfigError if there is no stream mapping, or if one has a
    setting that the rules don't know; then none is disabled.
    """
    clients = _Clients(session, endpoint_url)
    functions, streams = clients.client("lambda"), clients.client("dynamodbstreams")
    pages = functions.get_paginator("list_event_source_mappings").paginate(
        FunctionName=function_name
    )
    mappings = [
        MappingSettings.from_answer(answer)
        for page in pages
        for answer in page["EventSourceMappings"]
        if answer["EventSourceArn"].split(":")[2] == "dynamodb"
    ]
    if not mappings:
        raise ConfigError(f"{function_name}: no DynamoDB stream is mapped to it")
    drivers = []
    for settings in mappings:
        clock = EpochClock()
        drivers.append(
            StreamDriver(
                settings,
                StreamReader(streams, settings.stream_arn, settings.starting_position, clock),
                LambdaInvoker(functions, settings.function_arn),
                destination(settings, clients, clock),
                clock=clock,
                observer=observer,
            )
        )
    for settings in mappings:
        functions.update_event_source_mapping(UUID=settings.uuid, Enabled=False)
    return drivers
