"""The service, deployed into a simulated world."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from handler import run
from local.delivery.ports import Answered, NotInvoked, Result
from local.delivery.settings import MappingSettings
from sync.errors import Retry
from sync.model.registry import Registry
from sync.service import Service
from sync.sinks.counters import Counters
from sync.sinks.default_image import DefaultImage
from sync.sinks.opensearch import OpenSearch
from sync.sinks.typesense import Typesense
from sync.writing.sink import Sink
from tests.asked import Asked
from tests.settings import LISTED
from tests.simulation import opensearch, typesense
from tests.simulation.aws import Aws
from tests.simulation.calls import Calls
from tests.simulation.dynamodb import DynamoDB
from tests.simulation.functions import Function, at_once
from tests.simulation.invariants import Owner
from tests.simulation.mappings import QueueMapping, StreamMapping
from tests.simulation.models import (
    CONTRIBUTIONS,
    CORE,
    KEY_TYPES,
    KEYS,
    REGISTRY,
    REGISTRY_BEFORE,
    TABLES,
    PlanBug,
    parsed,
)
from tests.simulation.plain import Plain, Store
from tests.simulation.queues import FifoQueue, Queue
from tests.simulation.scenario import Scenario
from tests.simulation.stream import Stream
from tests.simulation.table import Streamed, Table
from tests.simulation.template import DEPLOYED
from tests.simulation.topic import Bucket, Topic
from tests.simulation.world import MachineClock, World

ALIASES: Final = ("articles", "parts")
COLLECTIONS: Final = ("registry", "aircraft_images", "crates")
BY_STATUS: Final = ("status", "first_at")


class SimulatedService(Service):
    """The service, with the models of the simulation."""

    @cached_property
    def registry(self) -> Registry:
        return REGISTRY


class ServiceBefore(SimulatedService):
    """The release before."""

    @cached_property
    def registry(self) -> Registry:
        return REGISTRY_BEFORE


class Stack:
    """Tables, queues, functions and sinks, and what connects them."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world = world
        self.calls = Calls(world, scenario.trouble)
        self.asked = Asked()
        self.release: type[SimulatedService] = (
            ServiceBefore if scenario.deploys else SimulatedService
        )
        self.strange: set[str] = set()  # messages of strangers, which no worker can read
        self.forgotten: set[Owner] = set()  # items of which somebody asked to erase dead letters
        self.meddled = False  # somebody changed rows that the service derives
        self.opensearch = opensearch.Server(self.calls, ALIASES, gc_deletes_s=scenario.gc_deletes_s)
        self.typesense = typesense.Server(self.calls, COLLECTIONS)
        self.typesense.most_bytes = scenario.most_bytes
        self.store = Store(self.calls, late=scenario.late_plain)
        self.tables = [
            Streamed(world, name, names, self._stream(name, scenario), types=KEY_TYPES[name])
            for name, names in KEYS.items()
        ]
        expires = "expires_at" if scenario.ttl else None
        self.contributions = Table(
            world,
            CONTRIBUTIONS,
            ("id",),
            ttl=expires,
            ttl_until=world.now + scenario.ends,
            expired=lambda: self.calls.fired.update([("world", "tombstone expired")]),
        )
        self.dead_letters = Table(
            world,
            "stream-sync-sim-dead-letters",
            ("id",),
            index=BY_STATUS,
            listed=frozenset(LISTED),
        )
        self.state = Table(world, "stream-sync-sim-state", ("sink",))
        self.runs = Table(world, "stream-sync-sim-runs", ("run", "part"))
        self.topic = Topic(world, "dead-letters", duplicates=scenario.duplicates)
        self.bucket = Bucket(world, "payloads", duplicates=scenario.duplicates)
        queues = self._queues(scenario)
        self.letter_queue, self.resync_queue = queues["DeadLetterQueue"], queues["ResyncQueue"]
        self.runs_queue = queues["RunsQueue"]
        self.typesense_queue = queues["TypesenseQueue"]
        self.typesense_letter_queue = queues["TypesenseDeadLetterQueue"]
        self.topic.subscribers.append(self.letter_queue.send)
        self.bucket.created.append(self.letter_queue.send)
        self.aws = self._aws(scenario)
        self.named = {name: self._function(name, scenario) for name in DEPLOYED.timeouts_s}
        self.streams = [self._stream_mapping(table.stream, scenario) for table in self.tables]
        self.queues = [
            QueueMapping(
                self.calls,
                queues[polled.queue],
                self.named[polled.function],
                batch_size=polled.batch_size,
                window_s=polled.window_s,
                concurrency=scenario.concurrency or polled.concurrency,
            )
            for polled in DEPLOYED.polled
        ]

    @property
    def functions(self) -> Sequence[Function]:
        return tuple(self.named.values())

    @property
    def core(self) -> Streamed:
        return self.table(CORE)

    @property
    def sinks(self) -> Mapping[str, Mapping[tuple[str, str], Any]]:
        """The documents that each sink holds."""
        held = {OpenSearch.name: self.opensearch.seen, Plain.name: self.store.values}
        found: dict[str, Mapping[tuple[str, str], Any]] = {
            sink: {place: parsed(body) for place, body in bodies.items()}
            for sink, bodies in held.items()
        }
        return {**found, Typesense.name: dict(self.typesense.seen())}

    def table(self, name: str) -> Streamed:
        (found,) = [table for table in self.tables if table.name == name]
        return found

    def work(self) -> Iterator[str]:
        """What is unfinished."""
        yield from ("a stream" for mapping in self.streams if not mapping.idle)
        yield from ("a queue" for mapping in self.queues if not mapping.idle)
        yield from (function.name for function in self.functions if function.running)
        if self.calls.late or self.topic.under_way or self.bucket.under_way:
            yield "something under way"

    def command(
        self,
        payload: dict[str, Any],
        done: Callable[[Any], object],
        *,
        expected: tuple[type[Exception], ...] = (),
    ) -> None:
        """Invoke the admin function; *done* is given its answer, None where it failed.

        *expected*: what it may raise for *payload*, if not what it always may.
        """

        def answered(result: Result) -> None:
            good = isinstance(result, Answered) and not result.error
            done(json.loads(result.body) if good and isinstance(result, Answered) else None)

        self.named["admin"].invoke(lambda: payload, answered, expected=expected)

    def schedule(self, payload: dict[str, Any], tries: int = 3) -> None:
        """Invoke the admin function asynchronously, as EventBridge does: what fails is tried again
        after a minute, and after two, and then reported (Lambda guide, invocation-async)."""
        admin = self.named["admin"]

        def answered(result: Result) -> None:
            if isinstance(result, NotInvoked):
                self.world.after(60.0, lambda: self.schedule(payload, tries))
            elif result.error and tries > 1:
                self.world.after(60.0 * (4 - tries), lambda: self.schedule(payload, tries - 1))
            elif result.error:
                self.calls.fired["world", "schedule failed"] += 1
                context = {
                    "requestId": f"{self.world.random.getrandbits(64):016x}",
                    "functionArn": admin.arn,
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": 3,
                }
                document = {
                    "version": "1.0",
                    "timestamp": datetime.fromtimestamp(self.world.now, UTC).isoformat(),
                    "requestContext": context,
                    "requestPayload": payload,
                    "responseContext": {"statusCode": 200, "functionError": result.error},
                    "responsePayload": {"errorType": "Retry", "errorMessage": "simulated"},
                }
                self.topic.publish(json.dumps(document))

        admin.invoke(lambda: payload, answered)

    def deploy(self) -> None:
        """The current release takes the place of the one before; what runs goes on to its end. Its
        notifications are set up anew, of which S3 tells (S3 guide, notifications)."""
        self.letter_queue.send(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}))
        self.release = SimulatedService
        for function in self.functions:
            function.replace()

    def noted(self) -> bool:
        """Whether the keys of a call of a person are noted still."""
        return any(item["status"]["S"] == "running" for item in self.dead_letters)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The dead letters, plainly: keys and body are what they stand for."""
        for item in self.dead_letters.items.values():
            if item["status"]["S"] == "running":
                continue
            row = {name: next(iter(value.values())) for name, value in item.items()}
            for name in ("keys", "payload"):
                row[name] = json.loads(row[name]) if name in row else None
            body = row.get("body")
            if body is None and row["payload"]:
                held = self.bucket.objects.get(row["payload"]["key"])  # absent while it is erased
                body = held.decode() if held is not None else None
            row["body"] = body
            yield row

    def _stream(self, name: str, scenario: Scenario) -> Stream:
        return Stream(self.world, name, skew_s=scenario.stamp_skew_s, view=scenario.view)

    def _queues(self, scenario: Scenario) -> dict[str, Queue]:
        """The queues of the template, by its names for them; those of dead letters come first."""
        made: dict[str, Queue] = {}
        for queue in sorted(DEPLOYED.queues.values(), key=lambda one: bool(one.dead_letters)):
            made[queue.id] = (FifoQueue if queue.fifo else Queue)(
                self.world,
                queue.name,
                visibility_s=queue.visibility_s,
                retention_s=queue.retention_s,
                delay_s=queue.delay_s,
                most_receives=queue.most_receives,
                redrive=made[queue.dead_letters].take if queue.dead_letters else None,
                duplicates=0.0 if queue.fifo else scenario.duplicates,
            )
        return made

    def _aws(self, scenario: Scenario) -> Aws:
        aws = Aws(self.calls, late_fifo=scenario.late_lanes)
        queues = (
            self.resync_queue,
            self.letter_queue,
            self.runs_queue,
            self.typesense_queue,
            self.typesense_letter_queue,
        )
        aws.queues = {queue.url: queue for queue in queues}
        aws.topics = {self.topic.arn: self.topic}
        aws.buckets = {self.bucket.name: self.bucket}
        aws.clients["dynamodb"] = DynamoDB(
            aws, [*self.tables, self.contributions, self.dead_letters, self.state, self.runs]
        )
        return aws

    def _stream_mapping(self, stream: Stream, scenario: Scenario) -> StreamMapping:
        settings = MappingSettings(
            stream_arn=stream.arn,
            function_arn=self.named["stream"].arn,
            on_failure_arn=f"arn:aws:s3:::{self.bucket.name}",
            **{**DEPLOYED.stream, **scenario.mapping},
        )
        return StreamMapping(
            self.calls, stream, self.named["stream"], settings, self.bucket, scenario.backoff
        )

    def _function(self, name: str, scenario: Scenario) -> Function:
        env = {
            "STAGE": "sim",
            "TABLES": json.dumps(TABLES),
            "LOG_LEVEL": "CRITICAL",
            "DEAD_LETTER_TOPIC_ARN": self.topic.arn,
            "PAYLOAD_BUCKET": self.bucket.name,
            "RESYNC_QUEUE_URL": self.resync_queue.url,
            "DEAD_LETTER_QUEUE_URL": self.letter_queue.url,
            "DEAD_LETTER_TABLE": self.dead_letters.name,
            "RUNS_TABLE": self.runs.name,
            "RUNS_QUEUE_URL": self.runs_queue.url,
            "STATE_TABLE": self.state.name if scenario.state else "",
            "TYPESENSE_QUEUE_URL": self.typesense_queue.url,
            "TYPESENSE_DEAD_LETTER_QUEUE_URL": self.typesense_letter_queue.url,
            "STRICT_SINKS": scenario.strict,
        }

        clients = self.asked.clients(self.aws.client, lambda: name)
        search = self.asked.opensearch(self.opensearch, lambda: name)

        def start(clock: MachineClock) -> Callable[[Any, Any], Any]:
            sinks: Mapping[type[Sink], Sink] = {
                OpenSearch: OpenSearch(lambda: search),
                Plain: Plain(self.store),
                Typesense: Typesense(lambda: self.typesense, typesense.TIMEOUT_S),
                Counters: Counters(clients, contributions=self.contributions.name, counters=CORE),
                DefaultImage: DefaultImage(clients, CORE),
            }
            service = self.release(
                env, clients, clock, sinks=sinks, at_once=at_once(self.world), emit=len
            )
            return lambda event, context: run(event, context, service)

        return Function(
            name,
            self.calls,
            start,
            timeout_s=DEPLOYED.timeouts_s[name],
            clocks_s=scenario.clocks_s,
            expected=(PlanBug, Retry) if name == "admin" else (PlanBug,),  # as commands say
        )
