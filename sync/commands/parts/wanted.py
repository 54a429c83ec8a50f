"""A backfill that somebody wants: what its run is told, and its begin."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sync.commands.parts.keys import key_names
from sync.errors import ConfigError
from sync.model.patterns import literal, literal_prefix
from sync.runs.backfill import KIND
from sync.runs.rows import Run

if TYPE_CHECKING:
    from sync.model.model import Model
    from sync.service import Service

_ITEMS_EACH: Final = 50_000  # of a segment, unless it is said how many there are to be
_FEW_SEGMENTS: Final = 8  # the most that there are then


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of *table*, or of one *model* of it, or of partition keys that begin with *prefix*; to
    *sinks*, or to all. *rate*: of read units a second."""

    table: str
    model: str | None = None
    prefix: str | None = None
    sinks: Sequence[str] = ()
    segments: int | None = None
    rate: int | None = None

    def begin(self, service: "Service", arguments: Mapping[str, Any], items: int) -> Run:
        """Start a run with *arguments*; *items*: about how many the table has. Raises Retry."""
        segments = self.parts(arguments, items)
        return service.runs.start(KIND, self.table, arguments, segments=segments, items=items)

    def arguments(self, service: "Service") -> dict[str, Any]:
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

    def parts(self, arguments: Mapping[str, Any], items: int) -> int:
        """The number of segments of a run with *arguments*."""
        if "partition" in arguments:
            return 1
        if self.segments is not None:
            return self.segments
        return max(1, min(_FEW_SEGMENTS, items // _ITEMS_EACH))

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
