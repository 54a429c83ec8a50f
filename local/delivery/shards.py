"""The shards of one mapping: their lanes, their checkpoints, and the order of parent and child."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import takewhile

from local.delivery.ports import ShardInfo
from local.delivery.records import Record
from local.delivery.rules import Backoff, Lane
from local.delivery.settings import MappingSettings


class Shard:
    """One shard, delivered by as many lanes as the mapping's parallelization factor.

    An item always goes to the same lane, so its records keep their order, while those of two
    items of one partition key may not (WD). Each lane has a checkpoint of its own; the shard's
    is the point before which all of them are done.
    """

    def __init__(
        self, settings: MappingSettings, info: ShardInfo, backoff: Backoff | None = None
    ) -> None:
        self.info = info
        self.closed = False
        self.checkpoint: str | None = None  # a new reader goes on after this sequence number
        self._settings = settings
        # By sequence number, in stream order: whether it is finished.
        self._finished: OrderedDict[str, bool] = OrderedDict()
        self.lanes = tuple(
            Lane(settings, info.id, backoff=backoff, finished=self._finish)
            for _ in range(settings.parallelization_factor)
        )

    @property
    def idle(self) -> bool:
        """Whether every record that was offered is finished."""
        return all(lane.idle for lane in self.lanes)

    @property
    def finished(self) -> bool:
        """Whether the shard is closed and every record of it is finished."""
        return self.closed and self.idle

    @property
    def backlog(self) -> int:
        """How many offered records are not finished."""
        return sum(lane.backlog for lane in self.lanes)

    def offer(self, records: Sequence[Record], now: float) -> int:
        """Queue *records*, read in this order; returns how many pass the mapping's filters.

        A filtered record is gone, and the checkpoint moves past it (FI).
        """
        filters, factor = self._settings.filters, len(self.lanes)
        passed = 0
        for record in records:
            passes = not filters or filters.match(record.event())
            self._finished[record.sequence_number] = not passes
            if passes:
                passed += 1
                self.lanes[record.lane(factor) if factor > 1 else 0].offer((record,), now)
        self._advance()
        return passed

    def _finish(self, records: Sequence[Record]) -> None:
        for record in records:
            self._finished[record.sequence_number] = True
        self._advance()

    def _advance(self) -> None:
        for number in tuple(takewhile(self._finished.__getitem__, self._finished)):
            del self._finished[number]
            self.checkpoint = number


class Delivery:
    """All shards of one mapping.

    A child shard is not begun before its parent is finished, so that an item whose records moved
    from one to the other keeps its order (DynamoDB guide, "Reading and processing a stream"). A
    parent that was never discovered is one whose records are past retention: nobody waits for it.
    """

    def __init__(self, settings: MappingSettings, *, backoff: Backoff | None = None) -> None:
        self.settings = settings
        self._backoff = backoff
        self._shards: dict[str, Shard] = {}

    @property
    def shards(self) -> Sequence[Shard]:
        """Every shard discovered so far, in that order."""
        return tuple(self._shards.values())

    def shard(self, shard_id: str) -> Shard:
        return self._shards[shard_id]

    def discover(self, shards: Iterable[ShardInfo]) -> None:
        """Take in shards, parents in the same call or before; known ones change nothing."""
        for info in shards:
            if info.id not in self._shards:
                self._shards[info.id] = Shard(self.settings, info, self._backoff)

    def readable(self) -> list[Shard]:
        """The shards to read: not closed, and their parent, if known, finished."""
        return [shard for shard in self._shards.values() if not shard.closed and self._begun(shard)]

    @property
    def idle(self) -> bool:
        """Whether every record that was offered is finished."""
        return all(shard.idle for shard in self._shards.values())

    def _begun(self, shard: Shard) -> bool:
        parent = self._shards.get(shard.info.parent or "")
        return parent is None or parent.finished
