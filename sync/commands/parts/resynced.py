"""Resyncs the keys that a command found or was given."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sync.aws.keys import Source
from sync.errors import Retry
from sync.recovery.letters import DeadLetter
from sync.recovery.parking import Parked
from sync.recovery.resync import Unmatched, Verdict
from sync.runtime.deadline import Deadline
from sync.writing.op import Done

if TYPE_CHECKING:
    from sync.service import Service


def resynced(
    service: "Service", sources: Sequence[Source], only: str | None, deadline: Deadline
) -> Iterator[tuple[Source, Verdict]]:
    """Resync *sources* to the sink *only* (None: all), and yield the verdict on each.

    A key that ends in Retry is parked, one that can never succeed is a dead letter then. Raises
    Retry if nothing could be begun.
    """
    letters: list[DeadLetter] = []
    for settled in service.by_hand.run(list(map(Parked, sources)), deadline, only=only):
        verdict = settled.verdict
        if not isinstance(verdict, Done | Unmatched | Retry):
            letters.append(settled.letter(verdict, only))
        yield settled.key.source, verdict
    list(service.dead_letters.publish(letters))  # logs what fails; the caller names all keys
