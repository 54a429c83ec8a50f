"""`backfill start`: begin to write what a table holds to the sinks of its models."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict

from pydantic import Field

from sync.aws import tables
from sync.commands.parts.command import Command
from sync.commands.parts.keys import Table, key_names
from sync.errors import ConfigError
from sync.model.patterns import literal, literal_prefix
from sync.runs.backfill import KIND
from sync.runs.rows import Run
from sync.runtime.deadline import Deadline

if TYPE_CHECKING:
    from sync.model.model import Model
    from sync.service import Service

MOST_SEGMENTS: Final = 200
_ITEMS_EACH: Final = 50_000  # of a segment, unless it is said how many there are to be
_FEW_SEGMENTS: Final = 8  # the most that there are then
_UNIT_BYTES: Final = 4096  # that one read unit reads (DynamoDB guide, read-write-operations)
_READINGS: Final = 2  # of each page


class Started(TypedDict):
    """*id*: null in a dry run. *items* and *units*, the read units it takes, are estimates; null:
    unknown. *beside*: other backfills of the table that are not over."""

    id: str | None
    table: str
    segments: int
    items: int
    units: int | None
    beside: list[str]


class BackfillStart(Command):
    """Begin to write the items that a table has to the sinks of their models.

    It goes on by itself, in segments that are scanned side by side, while the table is written to.
    It does not find documents without an item. Raises ConfigError for a table, model or sink that
    there is not, or if another backfill of the table is not over; Retry if AWS does not answer.
    """

    table: Table
    model: str | None = Field(None, min_length=1, description="only the items of this model")
    prefix: str | None = Field(
        None, min_length=1, description="only items whose partition key begins with this text"
    )
    sinks: list[str] = Field([], description="write to this sink alone")
    segments: int | None = Field(
        None,
        ge=1,
        le=MOST_SEGMENTS,
        description=f"scan so many parts of the table side by side, at most {MOST_SEGMENTS}",
    )
    rate: int | None = Field(
        None,
        ge=1,
        description="consume at most so many read units a second; else as many as can be",
    )
    also: bool = Field(False, description="start it also beside another backfill of the table")
    dry_run: bool = Field(False, description="say what would be done, and start nothing")

    def run(self, service: "Service", deadline: Deadline) -> Started:
        arguments = self._arguments(service)
        runs = service.runs.runs(deadline)
        beside = [run.id for run in runs if run.table == self.table and run.finished_at is None]
        if beside and not self.also and not self.dry_run:
            raise ConfigError(
                f"a backfill of {self.table} is not over: {', '.join(beside)}; with --also this "
                "one is started beside it"
            )
        about = tables.known(service.clients, self.table)
        segments = self._segments(arguments, about.items)
        id_ = None if self.dry_run else self._begin(service, arguments, about.items).id
        return {
            "id": id_,
            "table": self.table,
            "segments": segments,
            "items": about.items,
            "units": None if "partition" in arguments else _units(about.bytes),
            "beside": beside,
        }

    def begin(self, service: "Service", *, reindex: str) -> Run:
        """Begin it as a part of *reindex*, whatever other backfills there are. Raises ConfigError,
        Retry."""
        arguments = {**self._arguments(service), "reindex": reindex}
        return self._begin(service, arguments, tables.known(service.clients, self.table).items)

    def _begin(self, service: "Service", arguments: Mapping[str, Any], items: int) -> Run:
        segments = self._segments(arguments, items)
        return service.runs.start(KIND, self.table, arguments, segments=segments, items=items)

    def _arguments(self, service: "Service") -> dict[str, Any]:
        """Those of the run. Raises ConfigError."""
        names = key_names(service, self.table)
        models = self._models(service)
        self._check_sinks(models, service.registry.off)
        return {
            "keys": list(names),
            "model": self.model,
            "rate": self.rate,
            "sinks": sorted(set(self.sinks)) or None,
            **self._where(names[0], models),
        }

    def _models(self, service: "Service") -> "list[type[Model]]":
        """The models whose items are written."""
        names = service.config.tables
        models = [
            model
            for model in service.registry.models
            if model.route is not None and names.get(model.route.table) == self.table
        ]
        if self.model is None:
            return models
        chosen = [model for model in models if model.__name__ == self.model]
        if not chosen:
            known = ", ".join(sorted(model.__name__ for model in models))
            raise ConfigError(f"{self.table} has no model {self.model!r}; there are: {known}")
        return chosen

    def _check_sinks(self, models: "list[type[Model]]", off: Collection[str]) -> None:
        """Raise ConfigError if none of *models* feeds one of the sinks."""
        fed = {sink.name for model in models if model.route for sink in model.route.into} - {*off}
        for sink in self.sinks:
            if sink not in fed:
                known = ", ".join(sorted(fed)) or "none"
                raise ConfigError(
                    f"these items are written to no sink {sink!r}; there are: {known}"
                )

    def _where(self, key: str, models: "list[type[Model]]") -> dict[str, Any]:
        """What is known of the partition keys of the items: all of it, or how it begins."""
        prefix = self.prefix or ""
        if self.model is None:
            return {"prefix": prefix or None}
        (model,) = models
        pattern = model.route.keys[key] if model.route else ""
        whole = literal(pattern)
        known = literal_prefix(pattern) if whole is None else whole
        if not (known.startswith(prefix) or (whole is None and prefix.startswith(known))):
            raise ConfigError(f"no partition key of {self.model} begins with {prefix!r}")
        if whole is not None:
            return {"partition": whole}
        return {"prefix": max(known, prefix, key=len) or None}

    def _segments(self, arguments: Mapping[str, Any], items: int) -> int:
        if "partition" in arguments:
            return 1
        if self.segments is not None:
            return self.segments
        return max(1, min(_FEW_SEGMENTS, items // _ITEMS_EACH))


def _units(size_bytes: int) -> int:
    return -(-size_bytes // _UNIT_BYTES) * _READINGS
