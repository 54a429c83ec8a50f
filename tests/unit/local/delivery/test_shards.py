"""Lanes, checkpoints, filters, and the order of parent and child shards."""

from local.delivery.filters import Filters
from local.delivery.lane import Lane
from local.delivery.ports import ShardInfo
from local.delivery.shards import Delivery, Shard
from local.delivery.steps import Invoke
from tests.unit.local.delivery.lanes import ERROR, NOW, OK, mapping, numbers, play, record, records


def shard(**settings: object) -> Shard:
    return Shard(mapping(**settings), ShardInfo("shard-1"))


def invoke(lane: Lane) -> list[int]:
    step = lane.next(NOW)
    assert isinstance(step, Invoke)
    return numbers(step.records)


def two_items(one: Shard) -> tuple[str, str]:
    """Two items of one partition key that go to different lanes."""
    first, *others = (f"i{number}" for number in range(20))
    factor = len(one.lanes)
    lane = record(1, item=first).lane(factor)
    return first, next(item for item in others if record(1, item=item).lane(factor) != lane)


def test_an_item_keeps_its_lane_and_its_order() -> None:
    """With a parallelization factor, order holds for each item (WD)."""
    one = shard(parallelization_factor=3)
    offered = [record(number, item=f"i{number % 7}") for number in range(1, 50)]
    one.offer(offered, NOW)
    delivered = [number for lane in one.lanes for batch in play(lane) for number in batch]
    for item in range(7):
        of_item = [number for number in range(1, 50) if number % 7 == item]
        assert [number for number in delivered if number in of_item] == of_item


def test_lanes_are_invoked_side_by_side() -> None:
    """A lane whose function runs, or fails, does not stop the others (WD)."""
    one = shard(parallelization_factor=2)
    here, there = two_items(one)
    one.offer([record(1, item=here), record(2, item=there), record(3, item=there)], NOW)
    blocked = one.lanes[record(1, item=here).lane(2)]
    free = one.lanes[record(1, item=there).lane(2)]
    assert invoke(blocked) == [1]
    assert invoke(free) == [2, 3]
    free.answered(OK, NOW)
    assert free.idle
    assert not one.idle


def test_the_checkpoint_waits_for_the_slowest_lane() -> None:
    """A new reader must not skip a record that some lane has not finished."""
    one = shard(parallelization_factor=2)
    here, there = two_items(one)
    one.offer([record(1, item=here), record(2, item=there), record(3, item=here)], NOW)
    slow = one.lanes[record(1, item=here).lane(2)]
    play(one.lanes[record(1, item=there).lane(2)])
    assert one.checkpoint is None
    play(slow)
    assert one.checkpoint == f"{3:021d}"


def test_the_checkpoint_moves_with_a_partial_success() -> None:
    """What lies before the first failure is never read again; the rest is."""
    one = shard(partial_responses=True, bisect=True, maximum_retry_attempts=0)
    one.offer(records(1, 2), NOW)
    assert invoke(one.lanes[0]) == [1, 2]
    one.lanes[0].answered(ERROR, NOW)
    assert one.checkpoint is None
    assert invoke(one.lanes[0]) == [1]
    one.lanes[0].answered(OK, NOW)
    assert one.checkpoint == f"{1:021d}"


def test_a_discarded_record_is_behind_the_checkpoint() -> None:
    """A record that was given up, and told of, is finished."""
    one = shard(maximum_retry_attempts=0)
    one.offer([record(1)], NOW)
    play(one.lanes[0], ERROR)
    assert one.checkpoint == f"{1:021d}"


def test_a_filtered_record_is_gone() -> None:
    """It reaches no function and no destination, and the checkpoint moves past it (FI)."""
    one = shard(filters=Filters(['{"dynamodb": {"Keys": {"SK": {"S": ["b"]}}}}']))
    passed = one.offer([record(1), record(2, item="b"), record(3)], NOW)
    assert passed == 1
    assert play(one.lanes[0]) == [[2]]
    assert one.checkpoint == f"{3:021d}"


def test_a_child_shard_waits_for_its_parent() -> None:
    """An item's records may go on in a child shard: the parent has to be finished first."""
    delivery = Delivery(mapping())
    delivery.discover([ShardInfo("parent"), ShardInfo("child", parent="parent")])
    assert [one.info.id for one in delivery.readable()] == ["parent"]
    parent = delivery.shard("parent")
    parent.offer([record(1)], NOW)
    parent.closed = True
    assert delivery.readable() == []
    play(parent.lanes[0])
    assert [one.info.id for one in delivery.readable()] == ["child"]


def test_a_parent_past_retention_is_not_waited_for() -> None:
    """A shard whose parent was never listed is read at once."""
    delivery = Delivery(mapping())
    delivery.discover([ShardInfo("child", parent="long gone")])
    assert [one.info.id for one in delivery.readable()] == ["child"]


def test_a_shard_discovered_again_keeps_its_state() -> None:
    """Looking for shards repeats itself, and is harmless."""
    delivery = Delivery(mapping())
    delivery.discover([ShardInfo("one")])
    delivery.shard("one").offer([record(1)], NOW)
    delivery.discover([ShardInfo("one"), ShardInfo("two")])
    assert delivery.shard("one").backlog == 1
    assert [one.info.id for one in delivery.shards] == ["one", "two"]
    assert not delivery.idle
