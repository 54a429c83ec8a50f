"""The simulated parts keep what the real ones promise, and no more."""

import pytest
from botocore.exceptions import ClientError

from sync.aws.keys import Source
from sync.errors import Unanswered, Unavailable
from sync.sinks.opensearch.answers import Rejected
from sync.sinks.opensearch.request import encode
from sync.writing.op import Op
from tests.simulation.alone import in_task, pass_time
from tests.simulation.calls import Calls, Fault, Outage, Trouble
from tests.simulation.expressions import Names, condition, update
from tests.simulation.models import KEYS, PARTS, part_keys
from tests.simulation.opensearch import ERRORS, REFUSED_WORD, REJECTED_WORD, Server
from tests.simulation.queues import FifoQueue, Queue
from tests.simulation.stream import Stream
from tests.simulation.table import Streamed
from tests.simulation.world import SECOND, START_NS, Killed, Stuck, World


@pytest.fixture
def world() -> World:
    return World(1)


class TestTasks:
    def test_they_take_turns_wherever_they_wait(self, world: World) -> None:
        """Two tasks that sleep are interleaved by virtual time."""
        seen: list[str] = []

        def run(name: str, pause_s: float) -> None:
            for _ in range(3):
                world.sleep(pause_s)
                seen.append(name)

        world.spawn(lambda: run("a", 2.0))
        world.spawn(lambda: run("b", 3.1))
        world.run(most_steps=100)
        assert seen == ["a", "b", "a", "a", "b", "b"]

    def test_no_except_exception_stops_a_kill(self, world: World) -> None:
        """A task that catches every Exception ends all the same, where it stands."""
        after: list[str] = []

        def stubborn() -> None:
            try:
                world.sleep(10.0)
            except Exception:
                after.append("survived")
            after.append("went on")

        ended: list[BaseException | None] = []
        task = world.spawn(stubborn, lambda _value, error: ended.append(error))
        world.after(5.0, lambda: world.kill([task]))
        world.run(most_steps=100)
        assert after == []
        assert [type(error) for error in ended] == [Killed]

    def test_a_world_without_rest_is_an_error(self, world: World) -> None:
        """What goes on for ever is told, not waited for."""

        def again() -> None:
            world.after(1.0, again)

        again()
        with pytest.raises(Stuck, match="no rest after 50 steps"):
            world.run(most_steps=50)


class TestCalls:
    @pytest.mark.parametrize(
        ("fault", "effects", "raised"),
        [
            (Fault.CRASH_BEFORE, 0, Killed),
            (Fault.CRASH_AFTER, 1, Killed),
            (Fault.TIMEOUT, 0, Unanswered),
            (Fault.TIMEOUT_DONE, 1, Unanswered),
            (Fault.CUT_BEFORE, 0, Unavailable),
            (Fault.CUT_AFTER, 1, Unavailable),
            (Fault.SERVER_ERROR, 0, Unavailable),
        ],
    )
    def test_each_fault_is_what_it_says(
        self, world: World, fault: Fault, effects: int, raised: type[BaseException]
    ) -> None:
        """The effect is there or not, and the caller hears of a failure or is gone."""
        calls = Calls(world, Trouble(rates={"a.b": 1.0}, kinds={"a.b": (fault,)}))
        done: list[bool] = []
        _, error = in_task(world, lambda: calls.make("a.b", done.append, ERRORS))
        assert (len(done), type(error)) == (effects, raised)
        assert calls.fired["a.b", fault.value] == 1

    def test_a_late_effect_comes_after_its_caller_gave_up(self, world: World) -> None:
        """When the call times out nothing has happened yet; it happens within the limit."""
        trouble = Trouble(rates={"a.b": 1.0}, kinds={"a.b": (Fault.TIMEOUT_LATE,)}, latest_s=30.0)
        calls = Calls(world, trouble)
        when: list[float] = []
        began = world.now

        def call() -> float:
            with pytest.raises(Unavailable):
                calls.make(
                    "a.b",
                    lambda _partial: when.append(world.now),
                    ERRORS,
                    timeout_s=5.0,
                    possible=frozenset(Fault),
                )
            assert when == []
            return world.now

        gave_up, error = in_task(world, call)
        assert error is None
        assert began + 5.0 <= gave_up < when[0] <= gave_up + 30.0

    def test_during_an_outage_every_call_fails(self, world: World) -> None:
        """From its beginning to its end, and not after."""
        now = START_NS / SECOND
        trouble = Trouble(outages=(Outage("a", now, now + 60, Fault.CUT_BEFORE),))
        calls = Calls(world, trouble)

        def call() -> str:
            return calls.make("a.b", lambda _partial: "answer", ERRORS)

        assert isinstance(in_task(world, call)[1], Unavailable)
        pass_time(world, 60)
        assert in_task(world, call) == ("answer", None)


class TestTable:
    @pytest.fixture
    def table(self, world: World) -> Streamed:
        return Streamed(world, PARTS, KEYS[PARTS], Stream(world, PARTS, skew_s=2.0))

    def test_a_write_that_changes_nothing_makes_no_record(self, table: Streamed) -> None:
        """The same item again, and the delete of what is absent, leave no trace."""
        item = {**part_keys(b"\x00", 1), "title": {"S": "a"}}
        table.put(item)
        table.put(item)
        table.delete(part_keys(b"\x00", 2))
        assert [event["eventName"] for event in table.stream.events] == ["INSERT"]

    def test_an_expired_item_says_who_removed_it(self, table: Streamed) -> None:
        """TTL's removals carry userIdentity, a person's don't."""
        for expired in (True, False):
            table.put({**part_keys(b"\x00", 1), "title": {"S": "a"}})
            table.delete(part_keys(b"\x00", 1), expired=expired)
        removals = [e for e in table.stream.events if e["eventName"] == "REMOVE"]
        assert [e.get("userIdentity", {}).get("type") for e in removals] == ["Service", None]

    def test_an_item_keeps_its_order_through_splits(self, table: Streamed) -> None:
        """Numbers grow, and a child shard begins where its parent ends."""
        for n in range(6):
            table.put({**part_keys(b"\x00", 1), "title": {"S": str(n)}})
            if n % 2:
                table.stream.split()
        records = [record for shard in table.stream.shards for record in shard.records]
        titles = [record.event()["dynamodb"]["NewImage"]["title"]["S"] for record in records]
        numbers = [int(record.sequence_number) for record in records]
        assert titles == ["0", "1", "2", "3", "4", "5"]
        assert numbers == sorted(set(numbers))
        assert all(21 <= len(str(number)) <= 40 for number in numbers)


class TestQueue:
    def test_a_message_is_hidden_while_it_waits_and_while_it_is_received(
        self, world: World
    ) -> None:
        """Delay before the first delivery, the visibility timeout before each other."""
        queue = Queue(world, "q", visibility_s=30.0)
        queue.send("body", 10.0)
        seen = []
        for _ in range(5):
            seen.append([message.body for message in queue.receive(10)])
            pass_time(world, 10.0)
        assert seen == [[], ["body"], [], [], ["body"]]

    def test_what_is_received_too_often_is_redriven(self, world: World) -> None:
        """Instead of the third delivery, the message goes to where dead ones go."""
        redriven: list[str] = []
        queue = Queue(
            world,
            "q",
            visibility_s=1.0,
            most_receives=2,
            redrive=lambda message: redriven.append(message.body),
        )
        queue.send("body")
        deliveries = 0
        for _ in range(4):
            deliveries += len(queue.receive(1))
            pass_time(world, 2.0)
        assert (deliveries, redriven, queue.messages) == (2, ["body"], [])

    def test_what_is_redriven_keeps_its_age(self, world: World) -> None:
        """The queue of dead letters drops it 14 days after it was first sent."""
        letters = Queue(world, "letters", visibility_s=1.0)
        queue = Queue(world, "q", visibility_s=1.0, most_receives=1, redrive=letters.take)
        queue.send("body")
        pass_time(world, 13 * 86_400.0)
        assert len(queue.receive(1)) == 1
        pass_time(world, 2.0)
        assert queue.receive(1) == []
        assert [message.body for message in letters.messages] == ["body"]
        pass_time(world, 86_400.0)
        assert (letters.receive(1), letters.dropped) == ([], 1)


class TestFifoQueue:
    @pytest.fixture
    def queue(self, world: World) -> FifoQueue:
        return FifoQueue(world, "q.fifo", visibility_s=30.0)

    def test_a_group_waits_for_its_message_in_flight(self, queue: FifoQueue) -> None:
        """Order holds within a group; another group is not held up."""
        for n, group in enumerate("aab"):
            queue.send(f"{group}{n}", group=group, once=str(n))
        first = queue.receive(1)
        others = queue.receive(10)
        groups = sorted(message.group or "" for message in (*first, *others))
        assert groups in (["a", "b"], ["a", "a", "b"])
        assert next(m.body for m in (*first, *others) if m.group == "a") == "a0"
        if first[0].group == "a":
            assert [message.body for message in others] == ["b2"]

    def test_a_repeated_id_is_dropped_for_five_minutes(
        self, world: World, queue: FifoQueue
    ) -> None:
        """Even after the first one was handled; later it is a message of its own."""
        first = queue.send("one", group="a", once="id")
        (message,) = queue.receive(1)
        queue.delete(message)
        assert queue.send("two", group="a", once="id") == first
        assert queue.messages == []
        pass_time(world, 301.0)
        assert queue.send("three", group="a", once="id") != first
        assert [message.body for message in queue.messages] == ["three"]

    def test_a_failed_message_holds_up_its_group_until_it_is_seen_again(
        self, world: World, queue: FifoQueue
    ) -> None:
        """The others of its group wait for it, and then come behind it."""
        for n in range(3):
            queue.send(f"a{n}", group="a", once=str(n))
        done, _failed = queue.receive(2)
        queue.delete(done)
        assert queue.receive(10) == []
        assert queue.next_visible() == world.now + 30.0
        pass_time(world, 30.0)
        assert [message.body for message in queue.receive(10)] == ["a1", "a2"]

    def test_what_is_received_too_often_frees_its_group(self, world: World) -> None:
        """It goes to the FIFO queue of dead letters, and what was behind it comes."""
        letters = FifoQueue(world, "letters.fifo", visibility_s=30.0)
        queue = FifoQueue(
            world,
            "q.fifo",
            visibility_s=1.0,
            most_receives=1,
            redrive=letters.take,
        )
        queue.send("a0", group="a", once="0")
        assert [message.body for message in queue.receive(1)] == ["a0"]
        queue.send("a1", group="a", once="1")
        pass_time(world, 2.0)
        assert [message.body for message in queue.receive(10)] == ["a1"]
        assert [(message.group, message.body) for message in letters.messages] == [("a", "a0")]

    def test_it_has_no_delay_for_single_messages(self, queue: FifoQueue) -> None:
        """SQS refuses DelaySeconds there."""
        with pytest.raises(ValueError, match="no delay"):
            queue.send("one", 5.0, group="a", once="id")


class TestOpenSearch:
    @pytest.fixture
    def server(self, world: World) -> Server:
        return Server(Calls(world, Trouble()), ("parts",), gc_deletes_s=60.0)

    def bulk(
        self, world: World, server: Server, body: bytes | None, version: int, target: str = "parts"
    ) -> int:
        op = Op("opensearch", Source("t", {}), target, "id", body, version)
        answer, error = in_task(world, lambda: server.bulk(encode(op), 5.0))
        if error:
            raise error
        (item,) = answer["items"]
        (held,) = item.values()
        status: int = held["status"]
        return status

    def test_versions_order_writes_whatever_their_arrival(
        self, world: World, server: Server
    ) -> None:
        """external_gte: higher and equal are taken, lower conflicts; after a delete just so."""
        statuses = [
            self.bulk(world, server, body, version)
            for body, version in ((b"{}", 5), (b"{}", 5), (b"{}", 4), (None, 7), (b"{}", 6))
        ]
        assert statuses == [201, 200, 409, 200, 409]

    def test_a_restart_forgets_deletes(self, world: World, server: Server) -> None:
        """Tombstones are in memory only: an older write then comes through."""
        self.bulk(world, server, None, 7)
        server.restart()
        assert self.bulk(world, server, b"{}", 6) == 201

    def test_a_tombstone_is_kept_for_gc_deletes(self, world: World, server: Server) -> None:
        """Sixty seconds by default."""
        self.bulk(world, server, None, 7)
        pass_time(world, 61.0)
        assert self.bulk(world, server, b"{}", 6) == 201

    def test_an_index_that_is_no_alias_is_refused(self, world: World, server: Server) -> None:
        """require_alias keeps a typo from making an index."""
        assert self.bulk(world, server, b"{}", 1, target="prats") == 404

    def test_a_document_or_a_whole_request_may_be_refused(
        self, world: World, server: Server
    ) -> None:
        """Until the cause is mended."""
        refused, rejected = (b'"%b"' % word.encode() for word in (REFUSED_WORD, REJECTED_WORD))
        assert self.bulk(world, server, refused, 1) == 400
        with pytest.raises(Rejected):
            self.bulk(world, server, rejected, 1)
        server.mended = True
        assert self.bulk(world, server, rejected, 1) == 201


class TestExpressions:
    def test_conditions_hold_as_documented(self) -> None:
        """A missing attribute equals nothing, differs from everything, and has no order."""
        names = Names({"ExpressionAttributeValues": {":one": {"N": "1"}}})
        item = {"n": {"N": "1"}, "m": {"N": "10"}}
        held = {
            text: condition(text)(item, names)
            for text in (
                "n = :one",
                "x = :one",
                "x <> :one",
                "x < :one",
                "m > :one",
                "attribute_not_exists(x) AND (n <> :one OR attribute_exists(m))",
            )
        }
        assert list(held.values()) == [True, False, True, False, True, True]

    def test_updates_set_remove_and_add(self) -> None:
        """In one go, from what was there before."""
        names = Names({"ExpressionAttributeValues": {":a": {"S": "a"}, ":one": {"N": "1"}}})
        change = update("SET a = :a, b = if_not_exists(b, :a) REMOVE c ADD n :one")
        old = {"b": {"S": "b"}, "c": {"S": "c"}, "n": {"N": "2"}}
        assert change(old, names) == {"a": {"S": "a"}, "b": {"S": "b"}, "n": {"N": "3"}}

    @pytest.mark.parametrize("text", ["SET", "SET a", "REMOVE", "SET a = :a SET b = :a", "a = :a"])
    def test_what_aws_would_not_understand_is_refused(self, text: str) -> None:
        """An empty clause is the usual one."""
        with pytest.raises(ClientError, match="ValidationException"):
            update(text)
