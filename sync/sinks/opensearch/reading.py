"""Reads an index: documents by id, and the ids of all of them.

A walk goes through one shard after the other, in the order of `_seq_no`. That number belongs to
the last write of a document and is unique in its shard, so a place in the walk needs no state on
the server, never expires, and holds across calls and restarts. A document that is written meanwhile
moves ahead of the walk and is met again: none that stays is missed. A point in time would expire
between two calls, and could be continued in another only by `_id`, which a cluster may not sort by.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, TypeVar

from sync.errors import ConfigError, Misconfigured, NotTried, Unavailable
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.runtime.retry import persist
from sync.sinks.opensearch.answers import describe
from sync.writing.comparing import Compared, Walk, compared
from sync.writing.ids import check_id
from sync.writing.op import Op

MOST_READ: Final = 100  # documents in one answer, of up to 400 KB each
MOST_IDS: Final = 1_000  # in one answer
SPOTS: Final = 20  # places from which a sample is taken
TRIES: Final = 5
MARGIN_S: Final = 0.2  # between a request's timeout and the deadline, to read the answer
_NOTHING: Final = -1  # below each sequence number

T = TypeVar("T")


class Client(Protocol):
    """What reading needs of `client.Connection`."""

    def documents(self, alias: str, ids: Sequence[str], timeout_s: float) -> Any: ...

    def shards(self, alias: str, timeout_s: float) -> Any: ...

    def refresh(self, alias: str, timeout_s: float) -> None: ...

    def search(self, index: str, shard: int, query: Mapping[str, Any], timeout_s: float) -> Any: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk is: behind the sequence number *after* of a shard."""

    index: str
    shard: int
    after: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises ConfigError if `str` did not write *text*."""
        try:
            index, shard, after = json.loads(text)
            return cls(str(index), int(shard), int(after))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"no place in an index: {text[:80]!r}") from error

    def __str__(self) -> str:
        return strict([self.index, self.shard, self.after])


class Reader:
    """Reads through *client*; no request takes longer than *timeout_s*, or than the deadline.

    The alias of a target is *prefix* and its name.
    """

    def __init__(self, client: Client, timeout_s: float, prefix: str = "") -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._prefix = prefix

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        """See `Comparable.compare`."""

        def read(target: str, part: Sequence[Op]) -> list[Any]:
            return self._documents(target, [op.id for op in part], deadline)

        return compared(ops, MOST_READ, lambda op: check_id(op.id), read)

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        """See `Comparable.ids`."""
        if start is None:
            alias = f"{self._prefix}{target}"
            self._ask(deadline, lambda timeout_s: self._client.refresh(alias, timeout_s))
        index, shards = self._shards(target, deadline)
        place = Place(index, 0, _NOTHING) if start is None else Place.read(start)
        if place.index != index:  # the alias was moved: the walk starts anew
            place = Place(index, 0, _NOTHING)
        for shard in range(place.shard, shards):
            after = place.after if shard == place.shard else _NOTHING
            while found := self._page(index, shard, after, MOST_IDS, deadline):
                for id_, number in found:
                    yield id_, str(Place(index, shard, number))
                after = found[-1][1]

    def sample(self, target: str, count: int, deadline: Deadline) -> Sequence[str]:
        """See `Comparable.sample`. Reads from SPOTS random places on."""
        index, shards = self._shards(target, deadline)
        ends = [self._end(index, shard, deadline) for shard in range(shards)]
        found: dict[str, None] = {}
        size = min(MOST_IDS, -(-count // SPOTS))
        if sum(ends) <= count:  # so few writes that all documents fit
            spots, size = [(shard, _NOTHING) for shard in range(shards)], min(MOST_IDS, count)
        else:
            chosen = random.choices(range(shards), ends, k=SPOTS)  # noqa: S311 - no secret
            spots = [(shard, random.randrange(ends[shard]) - 1) for shard in chosen]  # noqa: S311
        for shard, after in spots:
            found |= dict.fromkeys(
                id_ for id_, _ in self._page(index, shard, after, size, deadline)
            )
        return list(found)[:count]

    def _documents(self, target: str, ids: Sequence[str], deadline: Deadline) -> list[Any]:
        """The documents *ids*, None for each that is missing. Raises Retry."""
        alias = f"{self._prefix}{target}"
        answer = self._ask(
            deadline, lambda timeout_s: self._client.documents(alias, ids, timeout_s)
        )
        found = answer.get("docs") if isinstance(answer, Mapping) else None
        if not isinstance(found, list) or [_id(document) for document in found] != list(ids):
            raise Unavailable(f"{alias}: the answer does not list the documents asked for")
        for document in found:
            if error := document.get("error"):
                raise Misconfigured(f"{alias}: {describe(error)}", of_target=True)
        return [
            document.get("_source", {}) if document.get("found") else None for document in found
        ]

    def _shards(self, target: str, deadline: Deadline) -> tuple[str, int]:
        """The index behind *target*, and how many shards it has. Raises Retry."""
        alias = f"{self._prefix}{target}"
        answer = self._ask(deadline, lambda timeout_s: self._client.shards(alias, timeout_s))
        try:
            groups = [group[0] for group in answer["shards"]]
            (index,) = {str(group["index"]) for group in groups}
        except (LookupError, TypeError, ValueError) as error:
            raise Misconfigured(f"{alias} is no alias of one index", of_target=True) from error
        return index, len(groups)

    def _end(self, index: str, shard: int, deadline: Deadline) -> int:
        """A number above each sequence number in *shard*."""
        last = self._search(index, shard, _query(_NOTHING, 1, "desc"), deadline)
        return last[0][1] + 1 if last else 0

    def _page(
        self, index: str, shard: int, after: int, size: int, deadline: Deadline
    ) -> list[tuple[str, int]]:
        return self._search(index, shard, _query(after, size, "asc"), deadline)

    def _search(
        self, index: str, shard: int, query: Mapping[str, Any], deadline: Deadline
    ) -> list[tuple[str, int]]:
        """The ids that *query* finds, each with its sequence number. Raises Retry."""
        answer = self._ask(
            deadline, lambda timeout_s: self._client.search(index, shard, query, timeout_s)
        )
        try:
            if answer["timed_out"] or answer["_shards"]["successful"] != 1:
                raise Unavailable(f"{index}: shard {shard} did not answer in full")
            return [(str(hit["_id"]), int(hit["sort"][0])) for hit in answer["hits"]["hits"]]
        except (LookupError, TypeError, ValueError) as error:
            raise Unavailable(f"{index}: the answer is not that of a search") from error

    def _ask(self, deadline: Deadline, ask: Callable[[float], T]) -> T:
        def once() -> T:
            timeout_s = min(self._timeout_s, deadline.remaining() - MARGIN_S)
            if timeout_s < MARGIN_S:
                raise NotTried("no time is left before the deadline")
            return ask(timeout_s)

        return persist(once, deadline, tries=TRIES)


def _query(after: int, size: int, order: str) -> Mapping[str, Any]:
    return {
        "size": size,
        "_source": False,
        "track_total_hits": False,
        "query": {"range": {"_seq_no": {"gt": after}}},
        # An index that never held a document does not know the field.
        "sort": [{"_seq_no": {"order": order, "unmapped_type": "long"}}],
    }


def _id(document: Any) -> Any:
    return document.get("_id") if isinstance(document, Mapping) else None
