"""Bugs that cost effort, or that let one outage become another's. See planted.py."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from math import ceil
from typing import Any
from unittest import mock

from sync.aws.items import Items
from sync.errors import Retry
from sync.recovery import settle
from sync.recovery.parking import Parking
from sync.recovery.resync import Settled
from sync.recovery.settle import Ended, Settle
from sync.writing.breaker import Breaker
from sync.writing.op import Done

Planted = AbstractContextManager[Any]


def waits_do_not_grow() -> Planted:
    """A parked key is resynced again and again after the same delay."""
    return mock.patch.object(Parking, "_delay", lambda self, _message: ceil(self._delay_s))


def what_is_written_is_parked_again() -> Planted:
    """A message is sent again for ever: what a resync wrote is resynced once more."""
    ended = Settled.ended

    def again(self: Settled, sink: str | None, cause: Any) -> Any:
        if isinstance(self.verdict, Done):
            return Ended(sink, self.key, settle.STALE, cause, lambda _error: mock.Mock())
        return ended(self, sink, cause)

    return mock.patch.object(Settled, "ended", again)


def no_breaker_opens() -> Planted:
    """What is down is asked by every write."""
    return mock.patch.object(Breaker, "saw")


def a_read_for_each_key() -> Planted:
    """Items are read one by one."""
    read = Items.read

    def each(self: Items, sources: Sequence[Any], deadline: Any) -> Any:
        found: dict[Any, Any] = {}
        for source in sources:
            found.update(read(self, [source], deadline))
        return found

    return mock.patch.object(Items, "read", each)


def a_failure_blocks_its_shard() -> Planted:
    """What a sink can't take now is not parked: its record comes again, with all behind it."""
    run = Settle.run

    def strict(self: Settle, ended: Any, *, message: Any = None) -> Any:
        ended = list(ended)
        failed = [one for one in ended if isinstance(one.result, Retry)]
        if message is not None or not failed:
            return run(self, ended, message=message)
        settlement = run(self, [one for one in ended if one not in failed])
        return replace(
            settlement, again=[*settlement.again, *((one.cause, one.result) for one in failed)]
        )

    return mock.patch.object(Settle, "run", strict)


EFFORT_BUGS = {
    waits_do_not_grow: "mixed",
    what_is_written_is_parked_again: "mixed",
    no_breaker_opens: "mixed",
    a_read_for_each_key: "by hand",
    a_failure_blocks_its_shard: "one down",
}
