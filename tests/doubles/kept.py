"""Parking, dead letters and items that are kept in memory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sync.aws.items import Found, Items
from sync.aws.keys import Source
from sync.errors import Retry
from sync.recovery.letters import DeadLetter, DeadLetters
from sync.recovery.parking import Parked, ParkedMessage, Parking
from sync.runtime.clock import Clock
from sync.runtime.deadline import Deadline
from tests.doubles.clocks import ManualClock


def _no_client(service: str) -> None:
    raise AssertionError(f"{service} is asked for something")


class KeptParking(Parking):
    """Keeps messages instead of sending them; with an *error*, gives back their keys."""

    def __init__(self, clock: Clock | None = None, *, error: Retry | None = None) -> None:
        super().__init__("queue", _no_client, clock or ManualClock(), delay_s=40)
        self.messages: list[ParkedMessage] = []
        self.error = error

    @property
    def keys(self) -> list[tuple[str | None, Parked]]:
        """Each parked key, and its sink."""
        return [(message.sink, key) for message in self.messages for key in message.keys]

    def _send(self, whole: ParkedMessage) -> Iterator[tuple[Parked, Retry]]:
        if self.error:
            yield from ((key, self.error) for key in whole.keys)
        elif whole.keys:
            self.messages.append(whole)


class KeptLetters(DeadLetters):
    """Keeps letters instead of publishing them; with an *error*, gives them back."""

    def __init__(self, *, error: Retry | None = None) -> None:
        super().__init__("topic", "bucket", _no_client, ManualClock())
        self.kept: list[DeadLetter] = []
        self.error = error

    def publish(self, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, Retry]]:
        for letter in letters:
            if self.error:
                yield letter, self.error
            else:
                self.kept.append(letter)


class KeptItems(Items):
    """A table's items, by their keys; an error stands for an item that can't be read."""

    def __init__(self) -> None:
        self.items: dict[Source, Any] = {}

    def read(self, sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        return {source: self.items.get(source) for source in sources}
