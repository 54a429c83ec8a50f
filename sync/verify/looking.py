"""The first look: which documents may differ."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from sync.aws.attributes import decode, dumps
from sync.aws.items import Items
from sync.aws.keys import AttributeMap, Source
from sync.errors import RecordError, RegistryError, Retry
from sync.recovery.state import state_of
from sync.runtime.deadline import Deadline
from sync.verify.expected import Expected
from sync.verify.findings import Page, Suspect
from sync.verify.reading import Reading
from sync.writing.ids import is_hash
from sync.writing.op import Address, Op

MOST_SUSPECTS: Final = 1_000  # of a page: so many end it, whatever its limit


class Look:
    """Looks at items and documents, a batch at a time, and collects what it finds.

    Counts in *page*; *suspects* are for `Confirm`. *only*: the names of the sinks to compare; None:
    all. Every method raises Retry if an item can't be read.
    """

    def __init__(
        self,
        expected: Expected,
        reading: Reading,
        items: Items,
        deadline: Deadline,
        only: Collection[str] | None = None,
    ) -> None:
        self._expected = expected
        self._reading = reading
        self._items = items
        self._deadline = deadline
        self._only = only
        self.page = Page()
        self.suspects: dict[Address, Suspect] = {}

    @property
    def is_full(self) -> bool:
        """Whether the page has to end for the number of its suspects."""
        return len(self.suspects) >= MOST_SUSPECTS

    def at_items(self, items: Mapping[Source, AttributeMap]) -> None:
        """Compare what *items* ask for with what the sinks hold."""
        self.page.items += len(items)
        ops: dict[str, list[Op]] = {}
        for source, item in items.items():
            try:
                planned = self._expected.ops(source, item)
            except (RecordError, RegistryError):
                self.page.invalid += 1
                continue
            for op in planned:
                if self._reading.has(op, self._only):
                    ops.setdefault(op.sink, []).append(op)
        for sink, of_sink in ops.items():
            for op, differs in self._reading.compare(sink, of_sink, self.page, self._deadline):
                self.page.compared[sink] += 1
                if differs is not None:
                    states = (state_of(items[op.source]),)
                    self.suspects[op.address] = Suspect(op.address, (op.source,), states)

    def at_documents(self, sink: str, target: str, ids: Sequence[str]) -> None:
        """Look for items that ask for the documents *ids*, which *sink* holds in *target*."""
        self.page.documents += len(ids)
        self.page.compared[sink] += len(ids)
        origins = {id_: self._expected.origins((sink, target, id_)) for id_ in ids}
        items = read(self._items, [s for of_id in origins.values() for s in of_id], self._deadline)
        suspects = []
        for id_, sources in origins.items():
            address = sink, target, id_
            try:
                op = self._expected.at(address, {source: items[source] for source in sources})
            except (RecordError, RegistryError):
                self.page.invalid += 1
                continue
            if op.body is None:
                states = tuple(state_of(items[source]) for source in sources)
                suspects.append(Suspect(address, sources, states))
        makes_ids = self._expected.makes_ids(sink, target)
        named = self._named(sink, [each for each in suspects if is_hash(each.address[2])])
        if sink in self.page.unread:
            return
        for each in suspects:
            if is_hash(each.address[2]):
                is_traced = each.address in named
            else:
                is_traced = bool(each.sources) or not makes_ids
            if is_traced:
                self.suspects[each.address] = each
            else:
                self.page.untraced += 1

    def _named(self, sink: str, suspects: Sequence[Suspect]) -> set[Address]:
        """The documents of *suspects* that hold the key attributes of which their ids are made.

        Their ids look like hashes, and are keys. Of the others an id may be the hash of a longer
        key, whose item asks for the document.
        """
        ops = [
            Op(sink, source, *each.address[1:], dumps(decode(source.keys)), 0)
            for each in suspects
            for source in each.sources
        ]
        return {
            op.address
            for op, differs in self._reading.compare(sink, ops, self.page, self._deadline)
            if differs is None or (differs.fields and not {*differs.fields} & {*op.source.keys})
        }


def read(
    items: Items, sources: Sequence[Source], deadline: Deadline
) -> dict[Source, AttributeMap | None]:
    """The items of *sources*, read consistently. Raises Retry if one can't be read."""
    found: dict[Source, AttributeMap | None] = {}
    for source, item in items.read(sources, deadline).items():
        if isinstance(item, Retry):
            raise item
        found[source] = item
    return found
