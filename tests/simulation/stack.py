"""The service, deployed into a simulated world."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from local.delivery.ports import Answered, Result
from local.delivery.settings import MappingSettings
from sync.errors import Retry
from sync.registry import Registry
from sync.service import Service
from sync.sinks.base import Sink
from sync.sinks.opensearch import OpenSearch
from tests.simulation.aws import Aws
from tests.simulation.calls import Calls
from tests.simulation.dynamodb import DynamoDB, OwnTable, Streams
from tests.simulation.functions import Function, at_once
from tests.simulation.mappings import QueueMapping, StreamMapping
from tests.simulation.models import KEYS, REGISTRY, PlanBug
from tests.simulation.opensearch import Server
from tests.simulation.plain import Plain, Store
from tests.simulation.queues import Queue
from tests.simulation.scenario import Scenario
from tests.simulation.stream import Stream
from tests.simulation.table import Table
from tests.simulation.topic import Bucket, Topic
from tests.simulation.world import MachineClock, World

TIMEOUT_S: Final = 60.0  # of every function but admin
ADMIN_TIMEOUT_S: Final = 300.0
ALIASES: Final = ("articles", "parts")
BY_STATUS: Final = ("status", "first_at")


class SimulatedService(Service):
    """The service, with the models of the simulation."""

    @cached_property
    def registry(self) -> Registry:
        return REGISTRY


class Stack:
    """Tables, queues, functions and sinks, and what connects them."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world = world
        self.calls = Calls(world, scenario.trouble)
        self.server = Server(self.calls, ALIASES, gc_deletes_s=scenario.gc_deletes_s)
        self.store = Store(self.calls, late=scenario.late_plain)
        self.tables = [
            Table(world, name, names, self._stream(name, scenario)) for name, names in KEYS.items()
        ]
        self.dead_letters = OwnTable("stream-sync-sim-dead-letters", "id", BY_STATUS)
        self.state = OwnTable("stream-sync-sim-state", "sink")
        self.topic = Topic(world, "dead-letters", duplicates=scenario.duplicates)
        self.bucket = Bucket("payloads")
        self.resync_queue = self._queue(
            "resync",
            scenario,
            most_receives=5,
            redrive=lambda message: self.topic.publish(message.body),
        )
        self.letter_queue = self._queue("dead-letters", scenario)
        self.topic.subscribers.append(self.letter_queue.send)
        self.aws = self._aws()
        self.stream_function, self.resync_function, self.letter_function, self.admin = (
            self._function(name, scenario, timeout_s)
            for name, timeout_s in (
                ("stream", TIMEOUT_S),
                ("resync", TIMEOUT_S),
                ("dead-letters", TIMEOUT_S),
                ("admin", ADMIN_TIMEOUT_S),
            )
        )
        self.streams = [self._stream_mapping(table.stream, scenario) for table in self.tables]
        self.queues = [
            QueueMapping(
                self.calls,
                queue,
                function,
                batch_size=10,
                concurrency=scenario.concurrency,
            )
            for queue, function in (
                (self.resync_queue, self.resync_function),
                (self.letter_queue, self.letter_function),
            )
        ]

    @property
    def functions(self) -> tuple[Function, ...]:
        return self.stream_function, self.resync_function, self.letter_function, self.admin

    @property
    def sinks(self) -> Mapping[str, Mapping[tuple[str, str], bytes]]:
        """What each sink holds."""
        return {OpenSearch.name: self.server.documents, Plain.name: self.store.values}

    def table(self, name: str) -> Table:
        (found,) = [table for table in self.tables if table.name == name]
        return found

    def work(self) -> Iterator[str]:
        """What is unfinished."""
        yield from ("a stream" for mapping in self.streams if not mapping.idle)
        yield from ("a queue" for mapping in self.queues if not mapping.idle)
        yield from (function.name for function in self.functions if function.running)
        if self.calls.late or self.topic.under_way:
            yield "something under way"

    def command(self, payload: dict[str, Any], done: Callable[[Any], object]) -> None:
        """Invoke the admin function; *done* is given its answer, None where it failed."""

        def answered(result: Result) -> None:
            good = isinstance(result, Answered) and not result.error
            done(json.loads(result.body) if good and isinstance(result, Answered) else None)

        self.admin.invoke(lambda: payload, answered)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows of the dead-letter table, plainly: keys and body are what they stand for."""
        for item in self.dead_letters.items.values():
            row = {name: next(iter(value.values())) for name, value in item.items()}
            for name in ("keys", "payload"):
                row[name] = json.loads(row[name]) if name in row else None
            body = row.get("body")
            if body is None and row["payload"]:
                body = self.bucket.objects[row["payload"]["key"]].decode()
            row["body"] = body
            yield row

    def _stream(self, name: str, scenario: Scenario) -> Stream:
        return Stream(self.world, name, skew_s=scenario.stamp_skew_s, view=scenario.view)

    def _queue(self, name: str, scenario: Scenario, **settings: Any) -> Queue:
        return Queue(
            self.world,
            name,
            visibility_s=6 * TIMEOUT_S,
            duplicates=scenario.duplicates,
            **settings,
        )

    def _aws(self) -> Aws:
        aws = Aws(self.calls)
        aws.queues = {queue.url: queue for queue in (self.resync_queue, self.letter_queue)}
        aws.topics = {self.topic.arn: self.topic}
        aws.buckets = {self.bucket.name: self.bucket}
        aws.clients["dynamodb"] = DynamoDB(aws, self.tables, [self.dead_letters, self.state])
        aws.clients["dynamodbstreams"] = Streams(aws, [table.stream for table in self.tables])
        return aws

    def _stream_mapping(self, stream: Stream, scenario: Scenario) -> StreamMapping:
        settings = MappingSettings(
            stream_arn=stream.arn,
            function_arn=self.stream_function.arn,
            partial_responses=True,
            on_failure_arn=self.topic.arn,
            **scenario.mapping,
        )
        return StreamMapping(self.calls, stream, self.stream_function, settings, self.topic)

    def _function(self, name: str, scenario: Scenario, timeout_s: float) -> Function:
        env = {
            "STAGE": "sim",
            "LOG_LEVEL": "CRITICAL",
            "DEAD_LETTER_TOPIC_ARN": self.topic.arn,
            "PAYLOAD_BUCKET": self.bucket.name,
            "RESYNC_QUEUE_URL": self.resync_queue.url,
            "DEAD_LETTER_QUEUE_URL": self.letter_queue.url,
            "DEAD_LETTER_TABLE": self.dead_letters.name,
            "STATE_TABLE": self.state.name if scenario.state else "",
        }

        def start(clock: MachineClock) -> Callable[[Any, Any], Any]:
            sinks: Mapping[type[Sink], Sink] = {
                OpenSearch: OpenSearch(lambda: self.server),
                Plain: Plain(self.store),
            }
            service = SimulatedService(
                env, self.aws.client, clock, sinks=sinks, at_once=at_once(self.world)
            )
            return service.handle

        return Function(
            name,
            self.calls,
            start,
            timeout_s=timeout_s,
            clocks_s=scenario.clocks_s,
            expected=(PlanBug, Retry) if name == "admin" else (PlanBug,),  # as commands say
        )
