"""One item's old and new state, decoded when first looked at, and the ops that follow from it."""

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Generic, Protocol, Self, TypeVar

from sync.aws.attributes import decode
from sync.aws.keys import AttributeMap, Source
from sync.writing.op import Op
from sync.writing.sink import Sink, skips_equal


class Readable(Protocol):
    """What a change needs of a model (model.py)."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self: ...

    @classmethod
    def takes(cls) -> Collection[str] | None: ...

    def document(self) -> bytes: ...


M = TypeVar("M", bound=Readable)


class Change(Generic[M]):
    """What became of one item, as its model sees it.

    *old* and *new* are decoded and validated when first looked at, so a plan that needs no old
    image never pays for one, and an old image the model no longer fits does no harm.

    *equal* counts the documents that need no writing.
    """

    def __init__(
        self,
        model: type[M],
        source: Source,
        document_id: str,
        version: int,
        *,
        new_image: AttributeMap | None,
        old_image: AttributeMap | None = None,
    ) -> None:
        self.model = model
        self.source = source
        self.id = document_id
        self.version = version
        self._new_image = new_image
        self._old_image = old_image
        self.equal = 0

    @cached_property
    def new(self) -> M | None:
        """The item now; None: it is gone. Raises InvalidImage."""
        return None if self._new_image is None else self.model.read(decode(self._new_image))

    @cached_property
    def old(self) -> M | None:
        """The item before, where the stream carries it. Raises InvalidImage."""
        return None if self._old_image is None else self.model.read(decode(self._old_image))

    @property
    def unchanged(self) -> bool:
        """Whether the document is what it was: nothing that the model takes of the item differs."""
        old, new = self._old_image, self._new_image
        if old is None or new is None:
            return False
        names = self.model.takes()
        if names is None:
            return old == new
        return all(old.get(name) == new.get(name) for name in names)

    def document(self, sink: type[Sink], target: str) -> Iterator[Op]:
        """`target` holds the item's document, or nothing once the item is gone.

        Yields nothing if the document is unchanged and the sink sets `skips_equal`.
        """
        if self.new is None:
            yield self.delete(sink, target)
        elif self.unchanged and skips_equal(sink):
            self.equal += 1
        else:
            yield self.put(sink, target, self.new.document())

    def put(
        self, sink: type[Sink], target: str, body: bytes, *, document_id: str | None = None
    ) -> Op:
        """`target` holds *body* under the id made of the keys, or under *document_id*."""
        return Op(sink.name, self.source, target, document_id or self.id, body, self.version)

    def delete(self, sink: type[Sink], target: str, *, document_id: str | None = None) -> Op:
        """`target` holds nothing under that id."""
        return Op(sink.name, self.source, target, document_id or self.id, None, self.version)
