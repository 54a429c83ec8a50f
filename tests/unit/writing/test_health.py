"""How sinks do is noted when it is news, and never write by write."""

from types import SimpleNamespace
from typing import Any

from sync.aws.keys import Source
from sync.errors import Misconfigured
from sync.writing.breaker import FIRST_S, Breakers
from sync.writing.health import EVERY_S, StateTable
from sync.writing.op import Done, Op, Outcome
from tests.doubles.clocks import ManualClock

MISSING = Misconfigured("no such alias", of_target=True)


def of(target: str, result: Any) -> Outcome:
    return Outcome(Op("memory", Source("t", {"id": {"S": "1"}}), target, "1", b"{}", 1), result)


class Notes:
    """A table that remembers which attributes it was given."""

    def __init__(self) -> None:
        self.updates: list[dict[str, str]] = []

    def __call__(self, _service: str) -> Any:
        return SimpleNamespace(update_item=self._update)

    def _update(self, **given: Any) -> None:
        values = given["ExpressionAttributeValues"].items()
        self.updates.append({name.strip(":"): next(iter(av.values())) for name, av in values})


def test_a_target_in_trouble_is_noted_once_and_hides_no_success() -> None:
    """However many writes its sink has meanwhile; and once more when its pause grew."""
    clock, notes = ManualClock(), Notes()
    table, breakers = StateTable("state", notes, clock), Breakers(clock)
    for _ in range(5):
        seen = [of("good", Done.WRITTEN)]
        if breakers.refusal("lost") is None:
            seen.append(of("lost", MISSING))
        breakers.saw(seen)
        table.saw("opensearch", seen, breakers)
    opened, written = notes.updates
    assert opened["broken_target"] == "lost"
    assert opened["broken_by"] == "lost: Misconfigured: no such alias"
    assert "last_success_at" in written
    clock.now += FIRST_S
    breakers.saw([of("lost", MISSING)])
    table.saw("opensearch", [of("lost", MISSING)], breakers)
    assert [note.get("broken_target") for note in notes.updates] == ["lost", None, "lost"]


def test_success_is_noted_once_a_minute() -> None:
    """A row is a minute old at worst."""
    clock, notes = ManualClock(), Notes()
    table, breakers = StateTable("state", notes, clock), Breakers(clock)
    for _ in range(4):
        table.saw("opensearch", [of("good", Done.WRITTEN)], breakers)
        clock.now += EVERY_S / 2
    assert len(notes.updates) == 2
