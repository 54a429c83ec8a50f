"""Counts the items that contribute to each counter: the FAA matcher (requirements S3.6).

    op → stored contribution → difference → transactions of contributions and counter changes

An op says which counter an item contributes to, if any. A contribution row keeps what the item's
last op said. Row and counters change in one transaction, which requires that the row is unchanged
since it was read. So each change counts exactly once, whatever is redelivered, fails half way or
runs at the same time. What an item contributed to before is read from its row, never from an old
image.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from sync.aws.clients import EFFECT_S, Clients, client
from sync.aws.items import Items
from sync.aws.keys import Source
from sync.aws.transactions import MOST_ACTIONS, transact, until_undisturbed
from sync.errors import Misconfigured, Refused, Retry, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.runtime.environment import TABLE, matching
from sync.runtime.log import logger
from sync.sinks.counters import actions
from sync.sinks.counters.families import family
from sync.sinks.counters.rows import Contribution, CounterKey, count_of, row_id
from sync.writing.op import Done, Op, Outcome, Result

_CONTENDED: Final = Throttled("other calls changed the same counters at the same time")


@dataclass(frozen=True, slots=True)
class Statement:
    """An op, and the counter that its item contributes to, if any."""

    op: Op
    counter: CounterKey | None

    def row(self, table: str) -> Source:
        """Its contribution row."""
        return Source(table, {"id": {"S": row_id(self.op)}})


@dataclass(frozen=True, slots=True)
class Move:
    """A statement to carry out: it is newer than the stored contribution, or differs from it."""

    statement: Statement
    stored: Contribution | None

    @property
    def before(self) -> CounterKey | None:
        if self.stored is None or self.stored.counter is None:
            return None
        return CounterKey(self.statement.op.target, self.stored.counter)

    @property
    def after(self) -> CounterKey | None:
        return self.statement.counter

    @property
    def touched(self) -> frozenset[CounterKey]:
        """The counters that it changes: none, one or two."""
        if self.before == self.after:
            return frozenset()
        return frozenset(counter for counter in (self.before, self.after) if counter)


class Counters:
    """Counters in the core table, and in another table the contributions that they count.

    A target is a family of counters. Ordered by the versions of the contributions: an older op is
    stale, an equal one is written. An item that stops contributing leaves its version for a week.
    """

    name: ClassVar[str] = "counters"
    compared_by: ClassVar[str] = "recount"
    effect_s = EFFECT_S

    def __init__(self, clients: Clients, *, contributions: str, counters: str) -> None:
        """*contributions* and *counters* are the names of the tables."""
        self.contributions = contributions
        self.counters = counters
        self._clients = clients
        self._items = Items(clients)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls(
            client,
            contributions=matching(env, "CONTRIBUTIONS_TABLE", TABLE, "a table's name"),
            counters=matching(env, "COUNTERS_TABLE", TABLE, "a table's name"),
        )

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        statements = []
        for op in ops:
            try:
                statements.append(read(op))
            except (Refused, Misconfigured) as error:
                yield Outcome(op, error)
        settled = until_undisturbed(statements, lambda left: self._try(left, deadline), deadline)
        yield from (Outcome(statement.op, result) for statement, result in settled)

    def _try(
        self, statements: Sequence[Statement], deadline: Deadline
    ) -> Iterator[tuple[Statement, Result]]:
        """Compare *statements* with the stored contributions, and write what differs."""
        rows = {statement: statement.row(self.contributions) for statement in statements}
        found = self._items.read(list(rows.values()), deadline)
        moves = []
        for statement, row in rows.items():
            item = found[row]
            if isinstance(item, Retry):
                yield statement, item
                continue
            move = Move(statement, Contribution.of(item) if item else None)
            if move.stored is None or statement.op.version > move.stored.version:
                # Also if the counter is the same: the stored version makes older ops stale.
                moves.append(move)
            elif statement.op.version < move.stored.version:
                yield statement, Done.STALE
            elif move.touched:
                moves.append(move)
            else:
                yield statement, Done.WRITTEN
        given_up: Retry | None = None  # a failure of one transaction would repeat for the next
        for portion in portions(moves):
            result = given_up or self._carry_out(portion, deadline)
            if isinstance(result, Retry) and result is not _CONTENDED:
                given_up = result
            yield from ((move.statement, result) for move in portion)

    def _carry_out(self, moves: Sequence[Move], deadline: Deadline) -> Result:
        """Write, in one transaction, the rows of *moves* and their net change of each counter."""
        if not deadline.remaining():
            return Unavailable("no time is left")
        net: Counter[CounterKey] = Counter()
        for move in moves:
            for counter in move.touched:
                net[counter] += 1 if counter == move.after else -1
        falling = {counter: -by for counter, by in net.items() if by < 0}
        puts = [
            actions.put(self.contributions, move.statement.op, move.after, move.stored)
            for move in moves
        ]
        adds = [actions.add(self.counters, counter, by) for counter, by in net.items() if by > 0]
        try:
            held = self._held(falling, deadline)
            takes = [
                actions.take(self.counters, counter, falling[counter], count)
                for counter, count in held.items()
            ]
            done = transact(self._clients, [*puts, *adds, *takes], "counting")
        except Retry as error:
            return error
        if not done:
            return _CONTENDED
        for counter, by in falling.items():
            if held.get(counter, 0) < by:
                logger.error(
                    "a counter held less than what contributes to it, and is gone: run recount",
                    extra={**counter._asdict(), "held": held.get(counter)},
                )
        return Done.WRITTEN

    def _held(self, counters: Iterable[CounterKey], deadline: Deadline) -> dict[CounterKey, int]:
        """The values of those of *counters* that exist. Raises Retry."""
        sources = {counter: counter.source(self.counters) for counter in counters}
        items = self._items.read(list(sources.values()), deadline)
        held = {}
        for counter, source in sources.items():
            item = items[source]
            if isinstance(item, Retry):
                raise item
            if item is not None:
                held[counter] = count_of(item)
        return held


def portions(moves: Iterable[Move]) -> Iterator[list[Move]]:
    """*moves*, split into transactions of at most 100 actions, no two of one item.

    Sorted by counters, so that moves of one counter share its action. A move between two counters
    that no other move changes takes three actions, so 100 moves take four transactions at most.
    Their size is no limit: 100 rows of at most 5 KB are far below 4 MB.
    """
    portion: list[Move] = []
    counters: frozenset[CounterKey] = frozenset()
    for move in sorted(moves, key=lambda move: (move.before or (), move.after or ())):
        if portion and len(portion) + 1 + len(counters | move.touched) > MOST_ACTIONS:
            yield portion
            portion, counters = [], frozenset()
        portion.append(move)
        counters |= move.touched
    if portion:
        yield portion


def read(op: Op) -> Statement:
    """Raises Refused for a bad body, Misconfigured if the target is no family of counters."""
    counted = family(op.target)
    if op.body is None:
        return Statement(op, None)
    return Statement(op, CounterKey(op.target, counted.read(op.body).sort_key))
