"""Plans the ops of an item; the only caller of `Model.plan`."""

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
"""Called after each plan with model name, document id, and the error if the plan raised one."""


class Plan(NamedTuple):
    """The ops of one item."""

    ops: list[Op]
    equal: int  # number of documents without an op, as they are unchanged


class Planner:
    """Plans the ops of items, and calls *saw* after each plan."""

    def __init__(self, registry: Registry, saw: Saw | None = None) -> None:
        self._registry = registry
        self._off = registry.off
        self._saw = saw

    def match(self, source: Source) -> Pattern | None:
        """The model of *source*; see `Registry.match`."""
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
        """The ops of the item *source*, with the model of *pattern*.

        *new_image* None: the item was deleted. Raises RecordError if the model refuses the item;
        logs any other exception of the model's plan, and raises ModelBug.
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
            ops = [op for op in model.plan(change) if op.sink not in self._off]
        except SyncError as error:
            self._report(change, error)
            raise
        except Exception as error:
            name = model.__name__
            extra = {"table": source.table, "keys": source.keys}
            logger.exception("plan of %s failed", name, extra=extra)
            bug = ModelBug(f"the plan of {name} failed: {error!r}")
            bug.model = name
            self._report(change, bug)
            raise bug from error
        self._report(change, None)
        return Plan(ops, change.equal)

    def _report(self, change: Change[Any], error: Exception | None) -> None:
        if self._saw is not None:
            self._saw(change.model.__name__, change.id, error)
