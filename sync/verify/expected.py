"""What items ask for, and which items a document may belong to."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from sync.aws import tables
from sync.aws.clients import Clients
from sync.aws.keys import AttributeMap, Source
from sync.errors import RecordError, RegistryError
from sync.model.model import Model
from sync.model.planner import Planner
from sync.model.registry import Registry
from sync.writing.ids import keys_from
from sync.writing.op import Address, Op

_UNORDERED: Final = 0  # the version of an op that is compared, and never written
_NONE: Final = Source("", {})  # where no item asks for a document


class Expected:
    """Reads no item and no sink: it plans. Asks DynamoDB once for the types of a table's keys."""

    def __init__(self, registry: Registry, clients: Clients) -> None:
        self._registry = registry
        self._planner = Planner(registry)
        self._types = cache(lambda table: tables.known(clients, table).keys)
        self._kinds = {kind.name: kind for kind in registry.sinks}

    def ops(self, source: Source, item: AttributeMap | None) -> list[Op]:
        """The ops of *source*, whose item is *item*. Raises RecordError or RegistryError."""
        pattern = self._planner.match(source)
        if pattern is None:
            return []
        return self._planner.plan(pattern, source, _UNORDERED, new_image=item).ops

    def at(self, address: Address, items: Mapping[Source, AttributeMap | None]) -> Op:
        """The op of *address* that one of *items* asks for; a delete if none asks for a document.

        Raises RecordError or RegistryError.
        """
        for source, item in items.items():
            for op in self.ops(source, item):
                if op.address == address and op.body is not None:
                    return op
        sink, target, id_ = address
        return Op(sink, _NONE, target, id_, None, _UNORDERED)

    def origins(self, address: Address) -> tuple[Source, ...]:
        """The keys whose items may ask for the document *address*: whose resync would delete it if
        there were no item. Raises Retry."""
        return tuple(
            source for source in self._made_from(address) if self._deletes(source, address)
        )

    def makes_ids(self, sink: str, target: str) -> bool:
        """Whether a model that feeds *target* has a plan of its own, so that its ids may be any."""
        return any(
            model.plan.__func__ is not Model.plan.__func__  # type: ignore[attr-defined]
            for model, _, of in self._registry.feeding(self._kinds[sink])
            if of == target
        )

    def _made_from(self, address: Address) -> Iterator[Source]:
        sink, target, id_ = address
        fed = (of for _, of, into in self._registry.feeding(self._kinds[sink]) if into == target)
        for table in dict.fromkeys(fed):
            if (keys := keys_from(id_, self._types(table))) is not None:
                yield Source(table, keys)

    def _deletes(self, source: Source, address: Address) -> bool:
        try:
            return any(op.address == address for op in self.ops(source, None))
        except (RecordError, RegistryError):
            return False
