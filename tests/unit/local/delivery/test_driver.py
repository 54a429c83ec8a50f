"""The driver's threads, on a stream and a function in memory. Nothing here sleeps."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from local.delivery.driver import READ_AHEAD, StreamDriver
from local.delivery.ports import (
    Answered,
    Discarded,
    NotInvoked,
    Page,
    Result,
    ShardInfo,
    Unreachable,
)
from local.delivery.records import Record
from local.delivery.rules import DESTINATION_TRIES, Backoff
from tests.unit.local.delivery.lanes import ERROR, OK, mapping, numbers, record

LONG_S = 20.0  # nothing takes so long unless it is broken
FAST = Backoff(0.001, 0.002)


class Stream:
    """A stream in memory, which is away as often as *away* says."""

    def __init__(self, *shards: ShardInfo) -> None:
        self.away = 0
        self.reads = 0
        self._shards = list(shards or [ShardInfo("shard-1")])
        self._pages: dict[str, list[Page]] = {}

    def put(self, *records: Record, shard: str = "shard-1", closed: bool = False) -> None:
        self._pages.setdefault(shard, []).append(Page(records, closed))

    def add(self, shard: ShardInfo) -> None:
        self._shards.append(shard)

    def shards(self) -> Sequence[ShardInfo]:
        self._be_away()
        return list(self._shards)

    def read(self, shard_id: str) -> Page:
        self._be_away()
        self.reads += 1
        pages = self._pages.get(shard_id)
        return pages.pop(0) if pages else Page(())

    def _be_away(self) -> None:
        if self.away:
            self.away -= 1
            raise Unreachable("the stream is away")


class Function:
    """Answers with *results* in turn, then with success; waits for *gate* if it is shut."""

    def __init__(self, *results: Result) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self._results: Iterator[Result] = iter(results)

    def invoke(self, records: Sequence[Record]) -> Result:
        self.batches.append(numbers(records))
        self.entered.set()
        assert self.gate.wait(LONG_S)
        return next(self._results, OK)


class Outbox:
    """An on-failure destination, which is away as often as *away* says."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.sent: list[list[int]] = []

    def send(self, discarded: Discarded) -> None:
        if self.away:
            self.away -= 1
            raise Unreachable("the outbox is away")
        self.sent.append(numbers(discarded.records))


def driver(stream: Stream, function: Function, **more: object) -> StreamDriver:
    settings = {name: more.pop(name) for name in tuple(more) if name in mapping().__slots__}
    return StreamDriver(
        mapping(**settings),
        stream,
        function,
        backoff=FAST,
        poll_s=0.001,
        **more,  # type: ignore[arg-type] # checked at run time
    )


def alive() -> list[str]:
    """Threads of drivers that were not joined."""
    return [one.name for one in threading.enumerate() if one.name.startswith("stream-t-")]


def test_drain_waits_until_everything_is_delivered() -> None:
    """What was in the stream when drain was called has reached the function when it returns."""
    stream, function = Stream(), Function()
    stream.put(*[record(number) for number in range(1, 26)])
    with driver(stream, function) as one:
        assert one.drain(LONG_S)
        assert function.batches == [[*range(1, 11)], [*range(11, 21)], [*range(21, 26)]]
        stream.put(record(26))
        assert one.drain(LONG_S)
        assert function.batches[-1] == [26]
        counts = one.counts
    assert (counts.read, counts.delivered, counts.invoked, counts.failed) == (26, 26, 4, 0)


def test_drain_says_when_it_is_not_done() -> None:
    """Records that are still being retried are not delivered, and drain does not say so."""
    stream, function = Stream(), Function()
    function.gate.clear()
    stream.put(record(1))
    with driver(stream, function) as one:
        assert function.entered.wait(LONG_S)
        assert not one.drain(0.01)
        function.gate.set()
        assert one.drain(LONG_S)


def test_a_failed_batch_is_retried_and_discarded() -> None:
    """The rules reach through to the function and to the destination."""
    stream, function, outbox = Stream(), Function(ERROR, ERROR), Outbox()
    stream.put(record(1), record(2))
    with driver(
        stream, function, destination=outbox, batch_size=1, maximum_retry_attempts=1
    ) as one:
        assert one.drain(LONG_S)
    assert function.batches == [[1], [1], [2]]
    assert outbox.sent == [[1]]
    assert (one.counts.failed, one.counts.discarded, one.counts.delivered) == (2, 1, 1)


def test_an_unreachable_destination_is_told_later() -> None:
    """The document is sent once, when it can be."""
    stream, function, outbox = Stream(), Function(ERROR), Outbox(away=2)
    stream.put(record(1))
    with driver(stream, function, destination=outbox, maximum_retry_attempts=0) as one:
        assert one.drain(LONG_S)
    assert outbox.sent == [[1]]
    assert (one.counts.errors, one.counts.lost) == (2, 0)


def test_a_destination_that_stays_unreachable_loses_the_document() -> None:
    """As on AWS, where a metric counts it; the shard moves on."""
    stream, function, outbox = Stream(), Function(ERROR), Outbox(away=DESTINATION_TRIES)
    stream.put(record(1))
    stream.put(record(2))
    with driver(
        stream, function, destination=outbox, batch_size=1, maximum_retry_attempts=0
    ) as one:
        assert one.drain(LONG_S)
    assert outbox.sent == []
    assert (one.counts.errors, one.counts.lost, one.counts.delivered) == (3, 1, 1)


def test_an_unreachable_stream_is_read_later() -> None:
    """An emulator that restarts costs time and no record."""
    stream, function = Stream(), Function()
    with driver(stream, function) as one:
        stream.put(record(1))
        stream.away = 5
        assert one.wait_for(lambda counts: counts.errors == 5, LONG_S)
        assert one.drain(LONG_S)
        assert one.last_error == "the stream is away"
    assert function.batches == [[1]]


def test_a_function_that_cannot_be_invoked_is_invoked_later() -> None:
    """That uses no retry, and is no invocation."""
    stream, function = Stream(), Function(NotInvoked("refused"), NotInvoked("refused"))
    stream.put(record(1))
    with driver(stream, function, maximum_retry_attempts=0) as one:
        assert one.drain(LONG_S)
    assert function.batches == [[1], [1], [1]]
    assert (one.counts.invoked, one.counts.errors, one.counts.discarded) == (1, 2, 0)


def test_start_fails_if_there_is_no_stream() -> None:
    """Whoever starts a driver learns why it can't begin, and no thread stays behind."""
    stream = Stream()
    stream.away = 1_000_000
    with pytest.raises(Unreachable, match="the stream is away"):
        driver(stream, Function()).start(timeout_s=0.01)
    assert alive() == []


def test_stop_finishes_the_invocation_at_hand() -> None:
    """The answer is taken in, no further batch is begun, and no thread stays behind."""
    stream, function = Stream(), Function()
    function.gate.clear()
    stream.put(record(1), record(2))
    one = driver(stream, function, batch_size=1).start()
    assert function.entered.wait(LONG_S)
    stopping = threading.Thread(target=one.stop)
    stopping.start()
    assert one._stopping.wait(LONG_S)
    function.gate.set()
    stopping.join(LONG_S)
    assert alive() == []
    assert function.batches == [[1]]
    assert one.counts.delivered == 1


def test_a_stopped_driver_goes_on_where_it_was() -> None:
    """Started again, it delivers what it had read, and what came since, once."""
    stream, function = Stream(), Function()
    stream.put(record(1))
    one = driver(stream, function).start()
    assert one.drain(LONG_S)
    one.stop()
    stream.put(record(2))
    with one:
        assert one.drain(LONG_S)
    assert function.batches == [[1], [2]]


def test_lanes_run_side_by_side() -> None:
    """With a factor of two, two invocations are under way at once."""
    stream, both = Stream(), threading.Barrier(2, timeout=LONG_S)

    class Meeting(Function):
        def invoke(self, records: Sequence[Record]) -> Result:
            both.wait()  # breaks, and fails the test, unless two are here
            return super().invoke(records)

    items = {record(1, item=item).lane(2): item for item in "abcdefgh"}
    stream.put(record(1, item=items[0]), record(2, item=items[1]))
    function = Meeting()
    with driver(stream, function, parallelization_factor=2) as one:
        assert one.drain(LONG_S)
    assert sorted(function.batches) == [[1], [2]]


def test_a_new_shard_is_found_while_running() -> None:
    """When a shard closes its child is looked for, and read after it."""
    stream, function = Stream(), Function()
    stream.put(record(1), closed=True)
    stream.put(record(2), shard="shard-2")
    with driver(stream, function) as one:
        assert one.drain(LONG_S)
        stream.add(ShardInfo("shard-2", parent="shard-1"))
        assert one.drain(LONG_S)
    assert function.batches == [[1], [2]]


def test_reading_ahead_has_a_limit() -> None:
    """A function that hangs does not fill the memory with what waits for it."""
    stream, function = Stream(), Function()
    function.gate.clear()
    with driver(stream, function, batch_size=100) as one:
        for page in range(10):
            stream.put(*[record(1000 * page + number) for number in range(1000)])
        assert one.wait_for(lambda counts: counts.read >= READ_AHEAD, LONG_S)
        reads = stream.reads
        assert not one.wait_for(lambda counts: counts.read > READ_AHEAD, 0.02)
        function.gate.set()
        assert one.drain(LONG_S)
    assert reads >= 2
    assert one.counts.delivered == 10_000


def test_an_observer_sees_invocations_and_discards() -> None:
    """Each is told once, with its records."""
    stream, function = Stream(), Function(ERROR)
    seen: list[tuple[list[int], type]] = []

    def observe(records: Sequence[Record], what: Result | Discarded) -> None:
        seen.append((numbers(records), type(what)))

    stream.put(record(1), record(2))
    with driver(stream, function, batch_size=1, maximum_retry_attempts=0, observer=observe) as one:
        assert one.drain(LONG_S)
    assert seen == [([1], Answered), ([1], Discarded), ([2], Answered)]


def test_a_bug_in_a_part_is_not_hidden() -> None:
    """An invoker that raises ends the driver, and whoever waits for it hears of it."""

    class Broken(Function):
        def invoke(self, records: Sequence[Record]) -> Result:
            raise ZeroDivisionError

    stream = Stream()
    stream.put(record(1))
    one = driver(stream, Broken())
    with pytest.raises(RuntimeError, match="broke") as caught:
        one.start().drain(LONG_S)  # whichever of them waits when it breaks
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(RuntimeError, match="broke"):
        one.stop()
