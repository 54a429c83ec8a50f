"""A function that fails as it is told, behind shards and lanes, on a clock that only jumps.

Knows nothing of the rules: it accounts for what the function handled and what was discarded, so
that the laws are checked against that alone.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from local.delivery.lane import Lane
from local.delivery.ports import Answered, NotInvoked, Result, ShardInfo
from local.delivery.records import Record
from local.delivery.rules import Backoff
from local.delivery.settings import MappingSettings
from local.delivery.shards import Delivery
from local.delivery.steps import Discard, Invoke, Wait
from tests.unit.local.delivery.lanes import NOW, record

STEPS = 20_000  # far beyond what any history here takes
SLOW = Backoff(60, 6 * 3600)  # a day of retries is a dozen of them


@dataclass(frozen=True)
class Answer:
    """What the function does with a batch: *kind*, and for "partial" where in it it fails."""

    kind: str
    at: tuple[int, ...] = ()

    def give(self, batch: Sequence[Record], *, partial: bool) -> tuple[Result, set[str]]:
        """The result, and the records that the function handled."""
        numbers = [one.sequence_number for one in batch]
        match self.kind:
            case "ok":
                return Answered(b'{"batchItemFailures": []}'), set(numbers)
            case "away":
                return NotInvoked("throttled"), set()
            case "partial" if partial:
                failed = {numbers[at % len(numbers)] for at in self.at}
                return _failures(*sorted(failed)), set(numbers) - failed
            case "unknown" if partial:
                return _failures(numbers[-1], "404"), set()
            case "nameless" if partial:
                return _failures(""), set()
            case "malformed" if partial:
                return Answered(b"[1"), set()
        return Answered(b'{"errorMessage": "boom"}', error="Unhandled"), set()


@dataclass(frozen=True)
class History:
    """The items whose records each shard holds, a shard being the child of the one before it."""

    settings: MappingSettings
    shards: tuple[tuple[str, ...], ...]
    answers: tuple[Answer, ...]  # in turn
    forever: bool  # whether they begin again, or all goes well once they are used up
    choices: tuple[int, ...]  # what happens next, where several things can


@dataclass
class Account:
    """What became of the records of a history."""

    offered: list[str] = field(default_factory=list)
    handled: set[str] = field(default_factory=set)
    named: Counter[str] = field(default_factory=Counter)  # in on-failure documents
    overtaken: list[str] = field(default_factory=list)  # when a later record of its item came
    called: int = 0
    answered: int = 0


@dataclass
class _Running:
    lane: Lane
    batch: Sequence[Record]
    result: Result
    handled: set[str]


class Play:
    """One history, played to its end."""

    def __init__(self, history: History) -> None:
        self.account = Account()
        self._history = history
        self._now = float(NOW)
        self._turn = 0
        self._running: list[_Running] = []
        number = count(1)
        self._pages = {
            f"shard-{at}": [record(next(number), item=item) for item in items]
            for at, items in enumerate(history.shards)
        }
        self._before: dict[str, list[str]] = {}
        of_item: dict[bytes, list[str]] = {}
        for page in self._pages.values():
            for one in page:
                earlier = of_item.setdefault(one.item, [])
                self._before[one.sequence_number] = list(earlier)
                earlier.append(one.sequence_number)

    def run(self) -> Account:
        """Play, and account for it. Raises AssertionError if the history has no end."""
        delivery = Delivery(self._history.settings, backoff=SLOW)
        parent = None
        for shard_id in self._pages:
            delivery.discover([ShardInfo(shard_id, parent)])
            parent = shard_id
        for _ in range(STEPS):
            for shard in delivery.readable():
                page = self._pages[shard.info.id]
                self.account.offered += [one.sequence_number for one in page]
                shard.offer(page, self._now)
                shard.closed = True
            if all(shard.finished for shard in delivery.shards):
                return self.account
            self._move([lane for shard in delivery.shards for lane in shard.lanes])
        raise AssertionError("the history does not end")

    def _move(self, lanes: Sequence[Lane]) -> None:
        """An invocation ends, or a lane that can take a step takes it, or else time passes."""
        self._turn += 1
        choices = self._history.choices or (0,)
        choice = choices[self._turn % len(choices)]
        if self._running and choice % 2:
            self._end(choice % len(self._running))
            return
        waits = []
        for offset in range(len(lanes)):
            lane = lanes[(choice + offset) % len(lanes)]
            if lane.invoking:
                continue
            match lane.next(self._now):
                case Invoke(batch):
                    self._begin(lane, batch)
                    return
                case Discard(discarded):
                    self.account.named.update(one.sequence_number for one in discarded.records)
                    lane.sent()
                    return
                case Wait(until):
                    waits.append(until)
        if self._running:
            self._end(0)
        elif waits:
            self._now = min(waits)

    def _begin(self, lane: Lane, batch: Sequence[Record]) -> None:
        account, history = self.account, self._history
        in_batch: set[str] = set()
        for one in batch:
            settled = account.handled | account.named.keys() | in_batch
            account.overtaken += [
                number for number in self._before[one.sequence_number] if number not in settled
            ]
            in_batch.add(one.sequence_number)
        answer = Answer("ok")
        if history.answers and (history.forever or account.called < len(history.answers)):
            answer = history.answers[account.called % len(history.answers)]
        result, handled = answer.give(batch, partial=history.settings.partial_responses)
        account.called += 1
        account.answered += isinstance(result, Answered)
        self._running.append(_Running(lane, batch, result, handled))

    def _end(self, at: int) -> None:
        ended = self._running.pop(at)
        self.account.handled |= ended.handled
        ended.lane.answered(ended.result, self._now)


def _failures(*identifiers: str) -> Answered:
    items = [{"itemIdentifier": identifier} for identifier in identifiers]
    return Answered(json.dumps({"batchItemFailures": items}).encode())
