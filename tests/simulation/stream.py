"""A table's stream: shards that split, numbers that grow within an item, coarse creation times."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from local.delivery.ports import Page, ShardInfo
from local.delivery.records import Record
from tests.simulation.world import World

PAGE = 25  # records in one page; AWS gives up to 1,000, and the order of reading is the same


@dataclass(slots=True)
class Shard:
    """Records of the items whose hash lies from *low* on, below *high*."""

    info: ShardInfo
    low: int
    high: int
    records: list[Record] = field(default_factory=list)
    closed: bool = False


class Stream:
    """Order holds within an item, whose number grows from write to write.

    Creation times are whole seconds and off by up to *skew_s* either way, each for itself: AWS
    calls them approximate, and says nothing of their order.
    """

    def __init__(
        self,
        world: World,
        table: str,
        *,
        skew_s: float = 0.0,
        view: str = "NEW_AND_OLD_IMAGES",
        retention_s: float = 86_400.0,
    ) -> None:
        self.arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/simulated"
        self.shards = [Shard(ShardInfo("shardId-0"), 0, 2**32)]
        self.events: list[dict[str, Any]] = []  # every record there ever was, for the invariants
        self.written: list[Any] = []  # actions to be told of a new record
        self._world = world
        self._skew_s = skew_s
        self._view = view
        self._retention_s = retention_s
        self._number = 10 ** world.random.randint(20, 38) + world.random.getrandbits(40)

    def add(
        self,
        keys: dict[str, dict[str, Any]],
        old: dict[str, Any] | None,
        new: dict[str, Any] | None,
        *,
        expired: bool = False,
    ) -> None:
        """Add the record of a change from *old* to *new*, which nobody changes in place."""
        random = self._world.random
        self._number += random.randrange(1, 3 * 10**6)
        body: dict[str, Any] = {
            "ApproximateCreationDateTime": int(
                self._world.now + random.uniform(-self._skew_s, self._skew_s)
            ),
            "Keys": keys,
            "SequenceNumber": str(self._number),
            "SizeBytes": 100,
            "StreamViewType": self._view,
        }
        if new is not None:
            body["NewImage"] = new
        if old is not None and self._view == "NEW_AND_OLD_IMAGES":
            body["OldImage"] = old
        event: dict[str, Any] = {
            "eventID": f"{random.getrandbits(128):032x}",
            "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": body,
            "eventSourceARN": self.arn,
        }
        if expired:
            event["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        self.events.append(event)
        place = _place(keys)
        (shard,) = [s for s in self.shards if not s.closed and s.low <= place < s.high]
        shard.records.append(Record(event))
        self._world.note("record", body["SequenceNumber"], event["eventName"], keys)
        for action in self.written:
            action()

    def split(self) -> None:
        """Close a shard; two children go on, each with half of its items."""
        parent = self._world.random.choice([shard for shard in self.shards if not shard.closed])
        parent.closed = True
        middle = (parent.low + parent.high) // 2
        for low, high in ((parent.low, middle), (middle, parent.high)):
            info = ShardInfo(f"shardId-{len(self.shards)}", parent.info.id)
            self.shards.append(Shard(info, low, high))
        self._world.note("split", parent.info.id)

    def shard(self, shard_id: str) -> Shard:
        (found,) = [shard for shard in self.shards if shard.info.id == shard_id]
        return found

    def trimmed(self, shard: Shard) -> int:
        """How many records at the beginning of *shard* are past retention."""
        oldest = self._world.now - self._retention_s
        for at, record in enumerate(shard.records):
            if record.created_s >= oldest:
                return at
        return len(shard.records)

    def find(self, start: str, end: str, shard_id: str) -> list[dict[str, Any]]:
        """The events from sequence number *start* to *end* of a shard."""
        numbers = [record.sequence_number for record in self.shard(shard_id).records]
        wanted = set(numbers[numbers.index(start) : numbers.index(end) + 1])
        return [e for e in self.events if e["dynamodb"]["SequenceNumber"] in wanted]


class Reader:
    """One mapping's way through a stream, for local.delivery."""

    def __init__(self, stream: Stream, begin: dict[str, int] | None = None) -> None:
        """*begin*: how many records of each shard are done with."""
        self._stream = stream
        self.position = dict(begin or {})
        self.missed: list[Record] = []  # trimmed before they were read

    def shards(self) -> Sequence[ShardInfo]:
        return [shard.info for shard in self._stream.shards]

    def read(self, shard_id: str) -> Page:
        shard = self._stream.shard(shard_id)
        done = self.position.get(shard_id, 0)
        begin = max(done, self._stream.trimmed(shard))
        self.missed += shard.records[done:begin]
        records = shard.records[begin : begin + PAGE]
        self.position[shard_id] = begin + len(records)
        return Page(records, shard.closed and self.position[shard_id] == len(shard.records))


def _place(keys: dict[str, dict[str, Any]]) -> int:
    return zlib.crc32(json.dumps(keys, sort_keys=True).encode())
