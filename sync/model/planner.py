"""From one item to its ops: the only place that calls a model's plan."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sync.aws.keys import AttributeMap, Source
from sync.errors import ModelBug, SyncError
from sync.model.change import Change
from sync.model.registry import Pattern, Registry
from sync.runtime.log import logger
from sync.writing.ids import document_id
from sync.writing.op import Op

Saw = Callable[[str, str, Exception | None], None]
"""Is told the name of a model, the id of a document, and why the model refused it, if it did."""


class Plan(NamedTuple):
    ops: list[Op]
    equal: int  # documents that need no writing


class Planner:
    """Plans the ops of items. *saw* is told how each plan went."""

    def __init__(self, registry: Registry, saw: Saw | None = None) -> None:
        self._registry = registry
        self._saw = saw

    def match(self, source: Source) -> Pattern | None:
        """See `Registry.match`."""
        return self._registry.match(source.table, source.keys)

    def plan(
        self,
        pattern: Pattern,
        source: Source,
        version: int,
        *,
        new_image: AttributeMap | None,
        old_image: AttributeMap | None = None,
    ) -> Plan:
        """The ops for *source*, whose model is that of *pattern*.

        Raises RecordError for an item that the model refuses, and ModelBug, after logging it, for
        whatever else the model's plan raises.
        """
        model = pattern.model
        change: Change[Any] = Change(
            model,
            source,
            document_id(source.keys, pattern.names),
            version,
            new_image=new_image,
            old_image=old_image,
        )
        try:
            ops = list(model.plan(change))
        except SyncError as error:
            self._tell(change, error)
            raise
        except Exception as error:
            name = model.__name__
            extra = {"table": source.table, "keys": source.keys}
            logger.exception("plan of %s failed", name, extra=extra)
            bug = ModelBug(f"the plan of {name} failed: {error!r}")
            bug.model = name
            self._tell(change, bug)
            raise bug from error
        self._tell(change, None)
        return Plan(ops, change.equal)

    def _tell(self, change: Change[Any], error: Exception | None) -> None:
        if self._saw is not None:
            self._saw(change.model.__name__, change.id, error)
