"""Wiring: builds each part of the service from settings and AWS clients."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from sync.aws.clients import Clients, queue_name
from sync.aws.responses import BatchResponse
from sync.config import Config
from sync.errors import ConfigError, RecordError
from sync.runtime import log, waits
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline, LambdaContext
from sync.writing.fanout import AtOnce, Fanout, in_threads
from sync.writing.metrics import Emit, Metrics, to_stdout
from sync.writing.sink import Sink, Writer, lanes_of

if TYPE_CHECKING:
    from sync.aws.items import Items
    from sync.deadletters.consumer import DeadLetterConsumer
    from sync.deadletters.journal import TableJournal
    from sync.deadletters.replay import Replay
    from sync.deadletters.table import DeadLetterTable
    from sync.lanes.sender import Sender
    from sync.lanes.worker import LaneWorker
    from sync.model.planner import Planner
    from sync.model.registry import Registry
    from sync.recovery.bodies import Bodies
    from sync.recovery.brake import Brake
    from sync.recovery.by_hand import ByHand
    from sync.recovery.letters import DeadLetters
    from sync.recovery.parking import Parking
    from sync.recovery.resync import Resync
    from sync.recovery.settle import Settle
    from sync.recovery.worker import ResyncWorker
    from sync.runs.control import Control
    from sync.runs.messages import RunQueue
    from sync.runs.table import RunsTable
    from sync.runs.worker import RunWorker
    from sync.stream.dispatch import Dispatcher
    from sync.verify.verify import Verify
    from sync.writing.health import StateTable

Run = Callable[[Sequence[Mapping[str, Any]], Deadline], BatchResponse]
"""Handles messages of one queue; the answer names those that SQS is to deliver again."""

RESERVE_S = 10.0  # at the end of an invocation: for parking, dead letters and the answer


class Service:
    """One for each warm container. Builds each part when an event first needs it.

    Its constructor raises ConfigError, which names the variable. *clients*, *clock*, *sinks*,
    *at_once* and *emit* are parameters so that tests can replace AWS, time, sinks and threads.
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
        self._check_strict_sinks()
        self.park_delay_s = self._park_delay_s()

    def deadline(self, context: LambdaContext) -> Deadline:
        """When work has to end: RESERVE_S before Lambda stops the invocation."""
        left = context.get_remaining_time_in_millis() / 1000 - RESERVE_S
        return Deadline(left, clock=self.clock.monotonic, sleep=self.clock.sleep)

    def queue(self, name: str) -> Run:
        """The handler for messages of the queue *name*. Raises RecordError for an unknown queue."""
        try:
            make = self._queues[name]
        except KeyError:
            raise RecordError(f"no handler for messages of the queue {name}") from None
        return make()

    @cached_property
    def _queues(self) -> Mapping[str, Callable[[], Run]]:
        """By the name of a queue, what makes the handler of its messages."""
        queues: dict[str, Callable[[], Run]] = {
            self.config.resync_queue_url: lambda: self.resync_worker.run,
            self.config.dead_letter_queue_url: lambda: self.dead_letter_consumer.run,
        }
        if self.config.runs_queue_url:
            queues[self.config.runs_queue_url] = lambda: self.run_worker.run
        for sink, sender in self.senders.items():
            queues[sender.queue_url] = partial(self._lane, sink)
            queues[sender.dead_letter_queue_url] = partial(self._lane_letters, sink)
        return {queue_name(url): make for url, make in queues.items()}

    def _lane(self, sink: str) -> Run:
        return self.lane_workers[sink].run

    def _lane_letters(self, sink: str) -> Run:
        return partial(self.dead_letter_consumer.run, of=sink)

    @cached_property
    def registry(self) -> "Registry":
        from sync import models
        from sync.model.registry import Registry

        tables, known = self.config.tables, models.load()
        if self.config.mirrors:
            known += models.mirrors(self.config.mirrors, tables, known)
        return Registry(known, tables, off=self.config.sinks_off)

    @cached_property
    def sinks(self) -> Mapping[str, Sink]:
        """Every sink that a model feeds, by name."""
        return {
            kind.name: self._given.get(kind) or kind.from_env(self.env)
            for kind in self.registry.sinks
        }

    @cached_property
    def senders(self) -> "Mapping[str, Sender]":
        """By sink name, for each sink with lanes: sends ops to its queue instead of the sink."""
        lanes = {kind.name: found for kind in self.registry.sinks if (found := lanes_of(kind))}
        if not lanes:
            return {}
        from sync.lanes.sender import Sender

        return {
            name: Sender.from_settings(name, found, self.env, self.clients)
            for name, found in lanes.items()
        }

    @cached_property
    def fanout(self) -> Fanout:
        """Writes for the stream and for resyncs; to a sink with lanes, through its queue."""
        return self._fanout(
            {**self.sinks, **self.senders},
            strict=self.config.strict_sinks,
            noted_as={name: lane_name(name) for name in self.senders},
        )

    def _fanout(self, sinks: Mapping[str, Writer], **more: Any) -> Fanout:
        return Fanout(
            sinks,
            self.clock,
            at_once=self._at_once,
            state=self.state,
            watchers=(self.metrics, self.brake),
            **more,
        )

    @cached_property
    def items(self) -> "Items":
        from sync.aws.items import Items

        return Items(self.clients)

    @cached_property
    def planner(self) -> "Planner":
        from sync.model.planner import Planner

        return Planner(self.registry, self.brake.read)

    @cached_property
    def brake(self) -> "Brake":
        from sync.recovery.brake import Brake

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
        from sync.recovery.letters import DeadLetters

        config = self.config
        return DeadLetters(
            config.dead_letter_topic_arn,
            config.payload_bucket,
            self.clients,
            self.clock,
            metrics=self.metrics,
        )

    @cached_property
    def settle(self) -> "Settle":
        return self._settle()

    def _settle(self, **more: Any) -> "Settle":
        from sync.recovery.settle import Settle

        return Settle(self.parking, self.dead_letters, self.brake, **more)

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        from sync.stream.dispatch import Dispatcher

        settle = self._settle(strict=self.config.strict_sinks)
        return Dispatcher(self.planner, self.fanout, settle)

    @cached_property
    def resync(self) -> "Resync":
        from sync.recovery.resync import Resync

        return Resync(self.planner, self.fanout, self.items, self.clock)

    @cached_property
    def resync_worker(self) -> "ResyncWorker":
        from sync.recovery.worker import ResyncWorker

        return ResyncWorker(self.resync, self.settle)

    @cached_property
    def lane_workers(self) -> "Mapping[str, LaneWorker]":
        """By sink name, for each sink with lanes: handles the messages of its queue."""
        from sync.lanes.worker import LaneWorker
        from sync.recovery.resync import Resync

        fanout = self._fanout({name: self.sinks[name] for name in self.senders})
        resync = Resync(self.planner, fanout, self.items, self.clock)
        return {
            name: LaneWorker(sender, self.sinks[name].effect_s, fanout, resync, self.settle)
            for name, sender in self.senders.items()
        }

    @cached_property
    def runs_table(self) -> "RunsTable":
        """Raises ConfigError, as all about runs does, if the stage has none."""
        from sync.runs.table import RunsTable

        if not (self.config.runs_table and self.config.runs_queue_url):
            raise ConfigError("RUNS_TABLE and RUNS_QUEUE_URL are not set: this stage has no runs")
        return RunsTable(self.config.runs_table, self.clients, self.clock)

    @cached_property
    def run_queue(self) -> "RunQueue":
        from sync.runs.messages import RunQueue

        return RunQueue(self.config.runs_queue_url, self.clients)

    @cached_property
    def runs(self) -> "Control":
        from sync.runs.control import Control

        wait_s = self.park_delay_s
        return Control(self.runs_table, self.run_queue, self.clock, wait_s=wait_s)

    @cached_property
    def run_worker(self) -> "RunWorker":
        from sync.runs import backfill
        from sync.runs.worker import RunWorker

        kinds = {
            backfill.KIND: backfill.Backfill(
                self.planner,
                self.resync,
                self.settle,
                self.fanout,
                self.clients,
                self.clock,
                at_once=self._at_once,
            )
        }
        return RunWorker(
            self.runs_table,
            self.run_queue,
            kinds,
            self.clock,
            self.metrics,
            margin_s=RESERVE_S + self.park_delay_s,
            wait_s=self.park_delay_s,
        )

    @cached_property
    def bodies(self) -> "Bodies":
        from sync.recovery.bodies import Bodies

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
        from sync.deadletters.journal import TableJournal

        return TableJournal(self.dead_letter_table, self.clock)

    @cached_property
    def by_hand(self) -> "ByHand":
        from sync.recovery.by_hand import ByHand

        return ByHand(self.resync, self.parking, self.journal)

    @cached_property
    def verify(self) -> "Verify":
        return self.verify_of({})

    def verify_of(self, instead: Mapping[tuple[str, str], str]) -> "Verify":
        """One that reads other targets *instead*; see `Verify`."""
        from sync.verify.verify import Verify
        from sync.writing.comparing import Comparable

        readable = {name: sink for name, sink in self.sinks.items() if isinstance(sink, Comparable)}
        return Verify(self.registry, readable, self.items, self.clients, instead)

    @cached_property
    def replay(self) -> "Replay":
        from sync.deadletters.replay import Replay

        return Replay(
            self.registry,
            self.by_hand,
            self.items,
            self.dead_letter_table,
            queued=self.senders.keys(),
        )

    def _check_strict_sinks(self) -> None:
        """Raises ConfigError if STRICT_SINKS names a sink that does not exist."""
        if unknown := self.config.strict_sinks - self.sinks.keys():
            raise ConfigError(
                f"STRICT_SINKS names {', '.join(sorted(unknown))}; the sinks are: "
                f"{', '.join(sorted(self.sinks))}"
            )

    def _park_delay_s(self) -> float:
        """Seconds until a parked key is retried. Raises ConfigError for one that is too short."""
        effects_s = {name: sink.effect_s for name, sink in self.sinks.items()}
        effects_s |= {lane_name(name): sender.effect_s for name, sender in self.senders.items()}
        return waits.park_delay_s(effects_s, self.config.park_delay_s)


def lane_name(sink: str) -> str:
    """The name of the queue before *sink* in metrics, state table and `status`."""
    return f"{sink} queue"
