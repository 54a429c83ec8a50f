"""What invokes functions: streams, by the rules of local/delivery, and queues."""

import json
from typing import Any, Final

from local.delivery.lane import Lane
from local.delivery.ports import Answered, Result
from local.delivery.rules import Backoff, failed_items, payload
from local.delivery.settings import MappingSettings
from local.delivery.shards import Delivery
from local.delivery.steps import Discard, Invoke, Wait
from tests.simulation.calls import Calls
from tests.simulation.functions import Function, Invocation
from tests.simulation.queues import Message, Queue
from tests.simulation.stream import Reader, Stream
from tests.simulation.topic import Bucket
from tests.simulation.world import Event

POLL_S: Final = 0.25  # a shard is read four times a second (Lambda guide, with-ddb)


class StreamMapping:
    """Delivers a stream to a function. A poller that is lost is followed by another, which begins
    at, or before, the checkpoint: never after it, and in order from there on."""

    def __init__(
        self,
        calls: Calls,
        stream: Stream,
        function: Function,
        settings: MappingSettings,
        bucket: Bucket,
        backoff: Backoff,
    ) -> None:
        self._calls = calls
        self._world = calls.world
        self._stream = stream
        self._function = function
        self._settings = settings
        self._bucket = bucket
        self.lost: list[dict[str, Any]] = []  # events of which nobody was told; an alarm rings
        self._backoff = backoff
        self._paused = False
        self._delivery = Delivery(settings, backoff=backoff)
        self._begun: dict[str, int] = {}  # records before where this poller began
        self._reader = Reader(stream)
        self._running: list[Invocation] = []
        self._pump: Event | None = None
        self._pump_at = 0.0
        stream.written.append(lambda: self._soon(POLL_S * self._world.random.random()))

    @property
    def idle(self) -> bool:
        """Whether every record of the stream is finished."""
        read = {shard.info.id: len(shard.records) for shard in self._stream.shards}
        return self._delivery.idle and all(
            self._reader.position.get(shard, 0) == count for shard, count in read.items()
        )

    def replace_poller(self, *, back: int, kill: bool = True) -> None:
        """Another poller begins, up to *back* records before each shard's checkpoint.

        Unless *kill*, the invocations of the one before it go on, and nobody hears how they end.

        Where a shard is delivered again, so are all of its children, or order would be lost.
        """
        world = self._world
        world.note("a new poller")
        for invocation in self._running if kill else ():
            self._function.kill(invocation, "lost with its poller")
        begin: dict[str, int] = {}
        for shard in self._delivery.shards:
            numbers = [r.sequence_number for r in self._stream.shard(shard.info.id).records]
            # The checkpoint of a poller that has finished nothing is the one that it began at.
            done = self._begun.get(shard.info.id, 0)
            if shard.checkpoint:
                done = numbers.index(shard.checkpoint) + 1
            parent = shard.info.parent
            again = parent is not None and begin[parent] < len(self._stream.shard(parent).records)
            first = 0 if again else max(0, done - back)
            # What was delivered and is trimmed since is not missed.
            trimmed = self._stream.trimmed(self._stream.shard(shard.info.id))
            begin[shard.info.id] = max(first, min(done, trimmed))
        self._delivery = Delivery(self._settings, backoff=self._backoff)
        self._begun = begin
        self._reader = Reader(self._stream, begin)
        self._running = []
        self._soon(POLL_S)

    def pause(self) -> None:
        """Nobody reads the stream, as while the mapping is disabled."""
        self._paused = True

    def resume(self) -> None:
        """It goes on at its checkpoint, or at what the stream still has."""
        self._paused = False
        self.replace_poller(back=0)

    def look(self) -> None:
        """There is something new: a shard, for one."""
        self._soon(POLL_S)

    def _soon(self, after_s: float) -> None:
        """Look again then, at the latest."""
        at = self._world.now + after_s
        if self._pump and self._pump.action:
            if self._pump_at <= at:
                return
            self._pump.cancel()
        self._pump_at = at
        self._pump = self._world.after(after_s, self._look)

    def _look(self) -> None:
        if self._paused:
            return
        delivery, now = self._delivery, self._world.now
        delivery.discover(self._reader.shards())
        for shard in delivery.readable():
            page = self._reader.read(shard.info.id)
            if missed := self._reader.missed:
                self._calls.fired["world", "records trimmed"] += len(missed)
                self._world.note("trimmed", len(missed))
                self.lost += [record.event() for record in missed]
                missed.clear()
            shard.offer(page.records, now)
            shard.closed = page.closed
            if page.records or page.closed:
                self._soon(POLL_S)
        for shard in delivery.shards:
            for lane in shard.lanes:
                self._step(lane)

    def _step(self, lane: Lane) -> None:
        """Do what *lane* says, until it waits."""
        while not lane.invoking:
            step = lane.next(self._world.now)
            if isinstance(step, Invoke):
                self._invoke(lane, step)
            elif isinstance(step, Discard):
                if not self._tell(step):
                    before = lane.backlog
                    lane.not_sent(self._world.now)
                    if lane.backlog < before:
                        self._world.note("nobody was told of", len(step.discarded.records))
                        self.lost += [record.event() for record in step.discarded.records]
                        self._soon(0.0)
                    continue
                self._world.note("given up", len(step.discarded.records))
                condition = step.discarded.document["requestContext"]["condition"]
                self._calls.fired["world", f"given up: {condition}"] += 1
                lane.sent()
                self._soon(0.0)  # children of the shard may now begin
            else:
                if isinstance(step, Wait):
                    self._soon(max(0.001, step.until - self._world.now))
                return

    def _invoke(self, lane: Lane, step: Invoke) -> None:
        delivery = self._delivery
        invocation: Invocation | None = None

        def done(result: Result) -> None:
            if delivery is not self._delivery:
                return  # a poller that is gone hears nothing
            if invocation in self._running:
                self._running.remove(invocation)
            lane.answered(result, self._world.now)
            self._soon(0.0)

        def event() -> dict[str, Any]:
            numbers = [record.sequence_number[-7:] for record in step.records]
            self._world.note("records", *numbers)
            return {"Records": [record.event() for record in step.records]}

        invocation = self._function.invoke(event, done)
        if invocation:
            self._running.append(invocation)

    def _tell(self, step: Discard) -> bool:
        """Lambda's own writing to the bucket, which fails with S3."""
        trouble, world = self._calls.trouble, self._world
        down = any(
            "s3".startswith(outage.site.split(".")[0]) and outage.begins <= world.now < outage.ends
            for outage in trouble.outages
        )
        if not trouble.over and (
            down or world.random.random() < trouble.rates.get("lambda.on_failure", 0.0)
        ):
            self._calls.fired["lambda.on_failure", "unreachable"] += 1
            return False
        records = step.discarded.records
        body = {**step.discarded.document, "payload": payload(records).decode()}
        key = f"aws/lambda/{self._settings.uuid}/{world.random.getrandbits(64):016x}"
        self._bucket.put(key, json.dumps(body).encode())
        return True


class QueueMapping:
    """Delivers a queue to a function: *concurrency* batches at once, partial failures reported.

    What failed is seen again when its visibility timeout is over; the rest is deleted. Messages are
    gathered for up to *window_s*.
    """

    def __init__(
        self,
        calls: Calls,
        queue: Queue,
        function: Function,
        *,
        batch_size: int,
        window_s: float,
        concurrency: int,
    ) -> None:
        self._world = calls.world
        self._queue = queue
        self._function = function
        self._batch_size = batch_size
        self._gather_s = max(0.01, window_s)
        self._concurrency = concurrency
        self._running = 0
        self._paused = False
        self._look_at: Event | None = None
        queue.arrived.append(self._soon)

    @property
    def idle(self) -> bool:
        return not self._running and not self._queue.messages

    def pause(self) -> None:
        """Nobody receives its messages, as while the mapping is disabled."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self._soon(0.0)

    def _soon(self, after_s: float) -> None:
        event = self._look_at
        at_ns = self._world.now_ns + int(after_s * 1e9)
        if event and event.action:
            if event.at_ns <= at_ns:
                return
            event.cancel()
        gather_s = self._gather_s * self._world.random.random()
        self._look_at = self._world.after(after_s + gather_s, self._look)

    def _look(self) -> None:
        random = self._world.random
        while self._running < self._concurrency and not self._paused:
            messages = self._queue.receive(random.randint(1, self._batch_size))
            if not messages:
                break
            self._invoke(messages)
        visible_at = self._queue.next_visible()
        if visible_at is not None and self._running < self._concurrency and not self._paused:
            self._soon(max(0.001, visible_at - self._world.now))

    def _invoke(self, messages: list[Message]) -> None:
        self._running += 1

        def done(result: Result) -> None:
            self._running -= 1
            for message in messages:
                if message.id not in self._failed(result, messages):
                    self._queue.delete(message)
            self._soon(0.0)

        self._function.invoke(lambda: {"Records": [self._record(m) for m in messages]}, done)

    def _failed(self, result: Result, messages: list[Message]) -> set[str]:
        everything = {message.id for message in messages}
        if not isinstance(result, Answered) or result.error:
            return everything
        failures = failed_items(result.body)
        return everything if failures is None or set(failures) - everything else set(failures)

    def _record(self, message: Message) -> dict[str, Any]:
        group = {"MessageGroupId": message.group} if message.group is not None else {}
        return {
            "messageId": message.id,
            "receiptHandle": message.id,
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": str(message.receives),
                "SentTimestamp": str(int(message.sent_at * 1000)),
                **group,
            },
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue.arn,
            "awsRegion": "us-east-1",
        }
