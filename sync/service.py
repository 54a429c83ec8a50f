"""The service, wired: from settings and clients to what handles each shape of event."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sync.aws.clients import Clients, queue_name
from sync.config import Config
from sync.errors import ConfigError, RecordError
from sync.runtime import log, waits
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline, LambdaContext
from sync.writing.fanout import AtOnce, Fanout, in_threads
from sync.writing.metrics import Emit, Metrics, to_stdout
from sync.writing.sink import Queued, Sink, Worker, has_queue

if TYPE_CHECKING:
    from sync.deadletters.bodies import Bodies
    from sync.deadletters.brake import Brake
    from sync.deadletters.consumer import DeadLetterConsumer
    from sync.deadletters.letters import DeadLetters
    from sync.deadletters.table import DeadLetterTable
    from sync.model.registry import Registry
    from sync.recovery.by_hand import ByHand
    from sync.recovery.journal import TableJournal
    from sync.recovery.parking import Parking
    from sync.recovery.replay import Replay
    from sync.recovery.resync import Resync
    from sync.recovery.worker import ResyncWorker
    from sync.stream.dispatch import Dispatcher
    from sync.writing.health import StateTable

RESERVE_S = 10.0  # of an invocation: for parking, dead letters and the answer


class Service:
    """One for each warm container. Each part is made when an event first needs it.

    Raises ConfigError, which names the variable, when it is made. *clients*, *clock*, *sinks* and
    *at_once* are parameters so that a simulation can stand in for the world.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        clients: Clients,
        clock: Clock,
        *,
        sinks: Mapping[type[Sink], Sink] | None = None,
        at_once: AtOnce = in_threads,
        emit: Emit = to_stdout,
    ) -> None:
        self.config = Config.from_env(env)
        log.configure(self.config.log_level)
        self.env = env
        self.clients = clients
        self.clock = clock
        self._given = sinks or {}
        self._at_once = at_once
        self.metrics = Metrics(self.config.stage, clock, emit)
        self._check()

    def handle(self, event: Any, context: LambdaContext) -> Any:
        """Hand *event* to the part for its shape. Raises RecordError for one of no known shape."""
        log.begin(context.aws_request_id)
        try:
            return self._handle(event, context)
        finally:
            self.metrics.flush()

    def _handle(self, event: Any, context: LambdaContext) -> Any:
        if isinstance(event, dict) and "command" in event:
            from sync.commands import run

            return run(event, self, self._deadline(context))
        records = event.get("Records") if isinstance(event, dict) else None
        sources = set(map(_source_of, records)) if isinstance(records, list) else set()
        deadline = self._deadline(context)
        if "aws:dynamodb" in sources:
            return self.dispatcher.run(_records(event), deadline)
        if sources == {"aws:sqs"}:
            queue = _queue_of(records)
            if queue == queue_name(self.config.resync_queue_url):
                return self.resync_worker.run(_records(event), deadline)
            if queue == queue_name(self.config.dead_letter_queue_url):
                return self.dead_letter_consumer.run(_records(event), deadline)
            if (worker := self.queue_workers.get(queue)) is not None:
                return worker.run(_records(event), deadline)
            for sink in self.queued:
                if queue == queue_name(sink.dead_letter_queue_url):
                    return self.dead_letter_consumer.run(_records(event), deadline, of=sink)
            raise RecordError(f"no handler for messages of the queue {queue}")
        raise RecordError(f"no handler for an event like this: {_shape(event)}")

    @cached_property
    def registry(self) -> "Registry":
        from sync import models
        from sync.model.registry import Registry

        return Registry(models.load(), self.config.stage)

    @cached_property
    def sinks(self) -> Mapping[type[Sink], Sink]:
        """Every sink that a model feeds."""
        return {
            sink: self._given.get(sink) or sink.from_env(self.env) for sink in self.registry.sinks
        }

    @cached_property
    def queued(self) -> "list[Queued]":
        """The sinks that have a queue of their own."""
        return [sink for sink in self.sinks.values() if has_queue(sink)]

    @cached_property
    def fanout(self) -> Fanout:
        return Fanout(
            self.sinks,
            self.clock,
            at_once=self._at_once,
            state=self.state,
            strict=self.config.strict_sinks,
            watchers=(self.metrics, self.brake),
        )

    @cached_property
    def brake(self) -> "Brake":
        from sync.deadletters.brake import Brake

        return Brake(self.metrics)

    @cached_property
    def state(self) -> "StateTable | None":
        from sync.writing.health import StateTable

        name = self.config.state_table
        return StateTable(name, self.clients, self.clock) if name else None

    @cached_property
    def parking(self) -> "Parking":
        from sync.recovery.parking import Parking

        return Parking(
            self.config.resync_queue_url,
            self.clients,
            self.clock,
            delay_s=self.park_delay_s,
            metrics=self.metrics,
        )

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        from sync.deadletters.letters import DeadLetters

        config = self.config
        return DeadLetters(
            config.dead_letter_topic_arn,
            config.payload_bucket,
            self.clients,
            self.clock,
            metrics=self.metrics,
        )

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        from sync.stream.dispatch import Dispatcher

        return Dispatcher(
            self.registry,
            self.fanout,
            self.parking,
            self.dead_letters,
            self.brake,
            strict=self.config.strict_sinks,
        )

    @cached_property
    def resync(self) -> "Resync":
        from sync.aws.items import Items
        from sync.recovery.resync import Resync

        return Resync(self.registry, self.fanout, Items(self.clients), self.clock, self.brake)

    @cached_property
    def resync_worker(self) -> "ResyncWorker":
        from sync.recovery.worker import ResyncWorker

        return ResyncWorker(self.resync, self.parking, self.dead_letters, self.brake)

    @cached_property
    def queue_workers(self) -> Mapping[str, Worker]:
        """The worker of each sink that has a queue, by the queue's name."""
        from sync.aws.items import Items
        from sync.recovery.resync import Resync

        workers = {}
        for kind, sink in self.sinks.items():
            if has_queue(sink):
                # Writing past the queue, or the worker would fill what it is to empty.
                fanout = Fanout(
                    {kind: sink.direct()},
                    self.clock,
                    at_once=self._at_once,
                    state=self.state,
                    watchers=(self.metrics, self.brake),
                )
                items = Items(self.clients)
                resync = Resync(self.registry, fanout, items, self.clock, self.brake)
                workers[queue_name(sink.queue_url)] = sink.worker(
                    fanout, resync, self.parking, self.dead_letters, self.brake
                )
        return workers

    @cached_property
    def bodies(self) -> "Bodies":
        from sync.deadletters.bodies import Bodies

        return Bodies(self.config.payload_bucket, self.clients)

    @cached_property
    def dead_letter_table(self) -> "DeadLetterTable":
        from sync.deadletters.table import DeadLetterTable

        return DeadLetterTable(self.config.dead_letter_table, self.clients, self.clock)

    @cached_property
    def dead_letter_consumer(self) -> "DeadLetterConsumer":
        from sync.deadletters.consumer import DeadLetterConsumer

        return DeadLetterConsumer(
            self.registry,
            self.dead_letter_table,
            self.bodies,
            self.clock,
            self.metrics,
            wait_s=self.park_delay_s,
        )

    @cached_property
    def journal(self) -> "TableJournal":
        from sync.recovery.journal import TableJournal

        return TableJournal(self.dead_letter_table, self.clock)

    @cached_property
    def by_hand(self) -> "ByHand":
        from sync.recovery.by_hand import ByHand

        return ByHand(self.resync, self.parking, self.journal)

    @cached_property
    def replay(self) -> "Replay":
        from sync.aws.items import Items
        from sync.recovery.replay import Replay

        queued = [sink.name for sink in self.queued]
        return Replay(
            self.registry, self.by_hand, Items(self.clients), self.dead_letter_table, queued=queued
        )

    def _check(self) -> None:
        """Refuse settings of sinks, before any record is taken on."""
        names = {sink.name for sink in self.sinks}
        if unknown := self.config.strict_sinks - names:
            raise ConfigError(
                f"STRICT_SINKS names {', '.join(sorted(unknown))}; the sinks are: "
                f"{', '.join(sorted(names))}"
            )
        direct = [sink.direct() for sink in self.queued]
        self.park_delay_s = waits.park_delay_s(
            (*self.sinks.values(), *direct), self.config.park_delay_s
        )

    def _deadline(self, context: LambdaContext) -> Deadline:
        left = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
        return Deadline(left, clock=self.clock.monotonic, sleep=self.clock.sleep)


def _records(event: Mapping[str, Any]) -> Sequence[Any]:
    records: Sequence[Any] = event["Records"]
    return records


def _source_of(record: Any) -> str | None:
    source = record.get("eventSource") if isinstance(record, dict) else None
    return source if isinstance(source, str) else None


def _queue_of(records: Any) -> str:
    """The name of the queue that SQS *records* come from; a batch has one source."""
    return str(records[0].get("eventSourceARN", "")).rpartition(":")[2]


def _shape(event: Any) -> str:
    return (
        f"keys {sorted(map(str, event))[:10]}" if isinstance(event, dict) else type(event).__name__
    )
