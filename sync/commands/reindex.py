"""`reindex`: build the next index or collection of a target beside the one that readers see."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from pydantic import Field, StringConstraints, model_validator

from sync.commands.parts.argument import AtMost, Positional
from sync.commands.parts.command import Command
from sync.commands.parts.comparison import MOST, MOST_SAMPLE, Compared, Comparison, Place, Step
from sync.commands.parts.differences import Difference
from sync.commands.parts.filling import Fed, Filling
from sync.commands.parts.keys import check_sink
from sync.commands.parts.paging import Cursor, no_cursor
from sync.commands.parts.runs import Shown, shown
from sync.errors import ConfigError
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.writing.shadows import SHADOW, Places, Reindexable

if TYPE_CHECKING:
    from sync.service import Service

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Phase = Literal["filling", "comparing", "swapped", "rolled back", "dropped"]


class Reindexed(TypedDict):
    """How far it is. *live*: the index or collection that readers see; *shadow*: the other one.

    *phase*: "filling" the next one by *runs*; "comparing" it with the tables, where each call goes
    on at the *cursor* of the one before and null begins anew; then "swapped". Or "rolled back" or
    "dropped". *checked* and *differences* are of this call, *left* those since the comparison
    began, repaired or not: it has to go through without one.
    """

    sink: str
    target: str
    live: str | None
    shadow: str | None
    phase: Phase
    runs: list[Shown]
    checked: int
    left: int
    differences: list[Difference]
    cursor: str | None


class Reindex(Command):
    """Build the next index or collection of a target, and let readers see it once it is complete.

    Each call does the next part, until it answers "swapped". Readers see the old one until then.
    The stream writes both, before and after: the old one stays for --rollback until --drop. Raises
    ConfigError for a target that no model feeds or that can't be reindexed; Retry if something
    does not answer.
    """

    sink: Annotated[Name, Positional()] = Field(description="name of the sink")
    target: Annotated[Name, Positional()] = Field(
        description="name of the index or collection, as its models have it"
    )
    rollback: bool = Field(False, description="let readers see the previous one again")
    drop: bool = Field(False, description="delete the one that readers do not see")
    unverified: bool = Field(False, description="swap without comparing with the tables first")
    sample: int | None = Field(
        None,
        ge=1,
        description="compare only so many items of each table, and documents, before the swap; "
        f"at most {MOST_SAMPLE:,}",
    )
    rate: int | None = Field(
        None, ge=1, description="consume at most so many read units a second for each table"
    )
    limit: Annotated[int, AtMost(MOST)] = Field(
        MOST, ge=1, description="compare at most so many items and documents in one call"
    )
    cursor: Cursor = None

    @model_validator(mode="after")
    def _one_of(self) -> "Reindex":
        if self.rollback and self.drop:
            raise ValueError("takes 'rollback' or 'drop', not both")
        return self

    def run(self, service: "Service", deadline: Deadline) -> Reindexed:
        from sync.model import mappings, mirror

        check_sink(service, self.sink)
        sink = service.sinks[self.sink]
        if not isinstance(sink, Reindexable):
            raise ConfigError(f"{self.sink} has nothing to reindex: run `backfill start`")
        feeding = self._feeding(service)
        places = sink.places(self.target)
        if places.live is None:
            raise ConfigError(f"{self.sink} has no {self.target} yet: run `mappings apply`")
        if self.drop:
            return self._drop(service, sink, places, deadline)
        if self.rollback:
            if places.shadow is None:
                raise ConfigError(f"{self.target} has no previous index or collection")
            if not places.is_swapped:
                return self._answer(places, "rolled back")
            return self._swap(service, sink, places, feeding, "rolled back", deadline)
        if places.is_swapped:
            return self._answer(places, "swapped")
        schema = mappings.schema_of(self.sink, self.target, mirror.among(service.registry.models))
        filling = Filling(service, self.sink, self.target, feeding)
        if places.shadow is None:
            filling.forget(deadline)
        places = sink.shadow(self.target, schema, deadline)
        runs = filling.ensure(self.rate, deadline)
        if any(run.finished_at is None for run in runs):
            told = [shown(run, service.runs.segments(run.id, deadline)) for run in runs]
            return self._answer(places, "filling", runs=told)
        return self._swap(service, sink, places, feeding, "swapped", deadline)

    def _feeding(self, service: "Service") -> list[Fed]:
        """The tables whose items are documents of the target. Raises ConfigError if none is."""
        models: dict[str, list[str]] = {}
        for kind in service.registry.sinks:
            for model, table, target in service.registry.feeding(kind):
                if (kind.name, target) == (self.sink, self.target):
                    models.setdefault(table, []).append(model.__name__)
        if not models:
            raise ConfigError(f"no model feeds {self.target!r} of {self.sink}")
        return [
            (table, names[0] if len(names) == 1 else None)
            for table, names in sorted(models.items())
        ]

    def _drop(
        self, service: "Service", sink: Reindexable, places: Places, deadline: Deadline
    ) -> Reindexed:
        if places.shadow is None:
            raise ConfigError(f"{self.target} has nothing to drop: readers see all there is")
        Filling(service, self.sink, self.target, ()).forget(deadline)
        return self._answer(sink.drop(self.target, places.shadow), "dropped")

    def _swap(
        self,
        service: "Service",
        sink: Reindexable,
        places: Places,
        feeding: Sequence[Fed],
        phase: Phase,
        deadline: Deadline,
    ) -> Reindexed:
        """Let readers see the shadow, once a comparison went through without a difference."""
        assert places.shadow is not None  # noqa: S101 - what is swapped in
        if self.unverified:
            return self._answer(sink.swap(self.target, places.shadow, deadline), phase)
        made, left = self._compare(service, feeding, deadline)
        if made.next is None and left == 0:
            swapped = sink.swap(self.target, places.shadow, deadline)
            return self._answer(swapped, phase, made=made)
        cursor = None if made.next is None else strict([left, *made.next])
        return self._answer(places, "comparing", made=made, left=left, cursor=cursor)

    def _compare(
        self, service: "Service", feeding: Sequence[Fed], deadline: Deadline
    ) -> tuple[Compared, int]:
        """Go on comparing the shadow with the tables, and repair what differs; also returns how
        much did since the beginning. Raises Retry if the shadow can't be read."""
        instead = {(self.sink, self.target): f"{self.target}{SHADOW}"}
        steps = [*(Step(table) for table, _ in feeding), Step(None, self.sink, self.target)]
        verify = service.verify_of(instead)
        comparison = Comparison(verify, steps, {self.sink}, self.sample, True, self.limit)
        earlier, place = self._place(service, steps)
        made = comparison.run(service, place, deadline)
        for error in made.unread.values():
            raise error
        return made, earlier + made.differing

    def _place(self, service: "Service", steps: Sequence[Step]) -> tuple[int, Place]:
        """How much differed until the cursor, and where it is. Raises ConfigError."""
        if self.cursor is None:
            return 0, Place(0)
        try:
            differed, *rest = json.loads(self.cursor)
            place = Place(*rest)
        except (ValueError, TypeError) as error:
            raise no_cursor(self.cursor) from error
        if type(differed) is not int or not place.is_of(service, steps):
            raise no_cursor(self.cursor)
        return differed, place

    def _answer(
        self,
        places: Places,
        phase: Phase,
        *,
        runs: Sequence[Shown] = (),
        made: Compared | None = None,
        left: int = 0,
        cursor: str | None = None,
    ) -> Reindexed:
        return {
            "sink": self.sink,
            "target": self.target,
            "live": places.live,
            "shadow": places.shadow,
            "phase": phase,
            "runs": list(runs),
            "checked": made.counts["items"] + made.counts["documents"] if made else 0,
            "left": left,
            "differences": made.differences if made else [],
            "cursor": cursor,
        }
