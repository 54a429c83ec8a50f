"""The shards of one mapping, with their lanes and checkpoints; parents come before children."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import takewhile

from local.delivery.lane import Lane
from local.delivery.ports import ShardInfo
from local.delivery.records import Record
from local.delivery.rules import Backoff
from local.delivery.settings import MappingSettings


class Shard:
    """One shard, with as many lanes as the mapping's parallelization factor.

    An item always goes to the same lane, so its records keep their order. Records of two items with
    one partition key may change theirs (WD). The shard's checkpoint is the last record before
    which, and including which, the records of all lanes are finished.
    """

    def __init__(
        self, settings: MappingSettings, info: ShardInfo, backoff: Backoff | None = None
    ) -> None:
        self.info = info
        self.closed = False
        self.checkpoint: str | None = None  # a new reader starts after this sequence number
        self._settings = settings
        # Whether each record is finished, by sequence number in the order of the stream.
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
        """Queue *records* in this order; returns how many pass the mapping's filters.

        A record that does not pass is finished at once (FI).
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

    A child shard is not read before its parent is finished, so that an item whose records moved
    from one to the other keeps its order (DynamoDB guide, "Reading and processing a stream"). The
    records of a parent that was never discovered are past retention, so its child does not wait.
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
        """Add the shards that are new; a parent comes in the same call as its child, or earlier."""
        for info in shards:
            if info.id not in self._shards:
                self._shards[info.id] = Shard(self.settings, info, self._backoff)

    def readable(self) -> list[Shard]:
        """The shards to read: those not yet closed whose parent is finished or unknown."""
        return [shard for shard in self._shards.values() if not shard.closed and self._begun(shard)]

    @property
    def idle(self) -> bool:
        """Whether every record that was offered is finished."""
        return all(shard.idle for shard in self._shards.values())

    def _begun(self, shard: Shard) -> bool:
        parent = self._shards.get(shard.info.parent or "")
        return parent is None or parent.finished
