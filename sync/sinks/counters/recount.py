"""Recounts the contributions to each counter, and repairs counters that differ.

Counters are compared with contributions, not with the items that contribute: a contribution and
its counter change in one transaction, while the stream record of a changed item may be in flight.

The stream may keep writing meanwhile. So only a difference that two readings show counts as drift,
and a counter is repaired only if both readings had the same contributions to it, versions included,
and it still holds what they had.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sync.aws.clients import CALL_S, Clients
from sync.aws.keys import AttributeMap, Source
from sync.aws.pages import page, pages
from sync.aws.transactions import transact
from sync.runtime.deadline import Deadline
from sync.sinks.counters.actions import replace
from sync.sinks.counters.families import family
from sync.sinks.counters.rows import CounterKey, count_of, source_of

_NAMES: Final = {"#counter": "counter"}


@dataclass(frozen=True, slots=True)
class CounterDrift:
    """A counter whose value is not the number of contributions to it."""

    counter: str
    contributing: int
    held: int
    mended: bool = False


@dataclass(slots=True)
class Contributing:
    """The contributions to a counter in one reading; equal only if all are, versions included."""

    count: int = 0
    fingerprint: int = 0  # of their ids and versions

    def add(self, row: AttributeMap) -> None:
        self.count += 1
        self.fingerprint ^= hash((row["id"]["S"], row["version"]["N"]))


class Tallies:
    """The counters of the family *target*, and the contributions to them.

    *contributions* and *counters* are the names of the tables.
    """

    def __init__(self, clients: Clients, target: str, *, contributions: str, counters: str) -> None:
        self._clients = clients
        self._target = target
        self._contributions = contributions
        self._counters = counters

    def contributors(
        self, start: AttributeMap | None, limit: int
    ) -> tuple[list[Source], AttributeMap | None]:
        """The contributing items of a page of at most *limit* contributions.

        Also returns where the next page starts; None: this was the last. Raises Retry.
        """
        rows, start = page(self._clients, "scan", start, **self._of_family(), Limit=limit)
        return [source_of(row) for row in rows], start

    def check(
        self, after: str | None, *, repair: bool, limit: int, deadline: Deadline
    ) -> tuple[list[CounterDrift], str | None]:
        """At most *limit* counters with sort keys above *after* that differ.

        *repair* repairs them. Also returns the last one's sort key if more are left. Raises Retry.
        """
        before, held_before = self._tally(deadline), self._held(deadline)
        suspects = {key for key in _unequal(before, held_before) if after is None or key > after}
        if not suspects:
            return [], None
        again, held_again = self._tally(deadline), self._held(deadline)
        drift: list[CounterDrift] = []
        for sort_key in sorted(suspects):
            if drift and (len(drift) >= limit or deadline.remaining() < CALL_S):
                return drift, drift[-1].counter
            seen = held_again.get(sort_key)
            if before.get(sort_key) != again.get(sort_key) or held_before.get(sort_key) != seen:
                continue  # it is being changed: it may be right
            count = again.get(sort_key, Contributing()).count
            mended = repair and self._repair(CounterKey(self._target, sort_key), count, seen)
            drift.append(CounterDrift(sort_key, count, seen or 0, mended))
        return drift, None

    def _repair(self, counter: CounterKey, count: int, seen: int | None) -> bool:
        action = replace(self._counters, counter, count, seen)
        return transact(self._clients, [action], f"repairing the counter {counter.sort_key}")

    def _tally(self, deadline: Deadline) -> dict[str, Contributing]:
        """The contributions to each counter, by its sort key."""
        tally: dict[str, Contributing] = {}
        for row in pages(self._clients, "scan", deadline, **self._of_family()):
            tally.setdefault(row["counter"]["S"], Contributing()).add(row)
        return tally

    def _held(self, deadline: Deadline) -> dict[str, int]:
        """The value of each counter, by its sort key."""
        counted = family(self._target)
        rows = pages(
            self._clients,
            "query",
            deadline,
            TableName=self._counters,
            KeyConditionExpression="PK = :partition AND begins_with(SK, :prefix)",
            ExpressionAttributeValues={
                ":partition": {"S": counted.partition},
                ":prefix": {"S": f"{counted.prefix}#"},
            },
        )
        return {row["SK"]["S"]: count_of(row) for row in rows}

    def _of_family(self) -> Mapping[str, Any]:
        """The arguments of a scan of the family's contributions, without tombstones."""
        return {
            "TableName": self._contributions,
            "FilterExpression": "begins_with(id, :target) AND attribute_exists(#counter)",
            "ExpressionAttributeNames": _NAMES,
            "ExpressionAttributeValues": {":target": {"S": f"{self._target}#"}},
        }


def _unequal(tally: Mapping[str, Contributing], held: Mapping[str, int]) -> set[str]:
    """The sort keys of counters that differ from *tally*; a counter of 0 should not exist."""
    right = {sort_key: contributing.count for sort_key, contributing in tally.items()}
    return {key for key in {*right, *held} if right.get(key) != held.get(key)}
