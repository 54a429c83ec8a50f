"""One outage is one outage: while a sink or an index is down, the others have what is written."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sync.aws.keys import AttributeMap
from sync.stream.dispatch import WRITE_S
from tests.simulation import derived, plain
from tests.simulation.effort import Effort, pauses
from tests.simulation.invariants import Violated
from tests.simulation.models import Place, expected
from tests.simulation.scenario import Scenario
from tests.simulation.stack import Stack
from tests.simulation.table import Streamed

EVERY_S: Final = 5.0  # how often it is looked whether the others have what was written
BATCH_S: Final = 1.0  # what a batch takes where nothing is down, a cold start and parking included
WAITED_S: Final = max(WRITE_S, plain.TIMEOUT_S)  # for what is down, by one batch


def late_s(scenario: Scenario) -> float:
    """How late a write may be in a sink that is not down.

    Before its batch there may be one for each write, and its window. Each container waits for what
    is down as often as its breaker lets it, and at worst all of that befalls one lane: there is a
    container for each lane of each stream.
    """
    mapping = scenario.mapping
    containers = 2 * mapping["parallelization_factor"]
    ahead_s = mapping["window_s"] + BATCH_S * len(scenario.writes)
    late = ahead_s
    while (longer := ahead_s + containers * WAITED_S * pauses(late)) > late:
        late = longer
    return float(late)


class Isolation:
    """Notes the states of each item, to compare the sinks that are not down with them."""

    def __init__(self, stack: Stack, scenario: Scenario, effort: Effort) -> None:
        self._effort = effort
        self._stack = stack
        self._scenario = scenario
        self._late_s = late_s(scenario)
        self._down = {outage.site for outage in scenario.trouble.outages}
        self._missing = scenario.missing
        self._states: dict[Place, list[tuple[float, Any]]] = {}
        for table in stack.tables:
            table.stream.written.append(partial(self._wrote, table))
        at_s = EVERY_S
        while at_s < scenario.ends:
            stack.world.after(at_s, self._look)
            at_s += EVERY_S

    def _wrote(self, table: Streamed) -> None:
        record: Mapping[str, Any] = table.stream.events[-1]["dynamodb"]
        item: AttributeMap = record.get("NewImage") or {}
        documents = expected(item) if item else {}
        for place in expected(record["Keys"]):
            state = self._stack.world.now, documents.get(place)
            self._states.setdefault(place, []).append(state)

    def _look(self) -> None:
        """Compare the sinks that are not down; raises Violated for default images that are late."""
        now, sinks = self._stack.world.now, self._stack.sinks
        due = now - self._late_s
        for place, states in self._states.items():
            sink, target, document_id = place
            if sink in self._down or target == self._missing:
                continue
            found = sinks[sink].get((target, document_id))
            late_s = now - _since(found, states, now)
            self._effort.check(
                "seconds beside what is down", late_s, self._late_s, f"{place}: {found!r:.200}"
            )
        core = self._stack.core
        if all(states[-1][0] <= due for states in self._states.values()):
            for place, what, _ in derived.default_images(core):
                raise Violated(f"{place} is more than {self._late_s:.0f} s late: {what}")


def _since(found: Any, states: Sequence[tuple[float, Any]], now: float) -> float:
    """Since when another of *states* than the one that was *found* should have been there."""
    missed = now
    for at, document in reversed(states):
        if document == found:
            return missed
        missed = at
    return missed  # nothing is what there was before the first of them
