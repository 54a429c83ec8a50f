"""A change of one item: its old and new state, and ops for its document."""

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any, Generic, Protocol, Self, TypeVar

from sync.aws.attributes import decode
from sync.aws.keys import AttributeMap, Source
from sync.writing.op import Op
from sync.writing.sink import Sink, skips_equal


class Readable(Protocol):
    """What a change calls on a model (sync/model/model.py)."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self: ...

    @classmethod
    def takes(cls) -> Collection[str] | None: ...

    def document(self) -> bytes: ...


M = TypeVar("M", bound=Readable)


class Change(Generic[M]):
    """An item before and after a change, as instances of its model.

    *old* and *new* are decoded and validated on first access. So a plan that does not use the old
    image never decodes it, and does not fail if it no longer satisfies the model.

    *equal* counts the documents for which `document` yielded no op, as they are unchanged.
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
        """The item after the change; None if it was deleted. Raises InvalidImage."""
        return None if self._new_image is None else self.model.read(decode(self._new_image))

    @cached_property
    def old(self) -> M | None:
        """The item before the change; None if there was none, or the stream has no old images.

        Raises InvalidImage.
        """
        return None if self._old_image is None else self.model.read(decode(self._old_image))

    @property
    def unchanged(self) -> bool:
        """Whether old and new image are equal in every attribute that the model takes."""
        old, new = self._old_image, self._new_image
        if old is None or new is None:
            return False
        names = self.model.takes()
        if names is None:
            return old == new
        return all(old.get(name) == new.get(name) for name in names)

    def document(self, sink: type[Sink], target: str) -> Iterator[Op]:
        """The op that puts the item's document into *target*, or deletes it with the item.

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
        """The op that puts *body* into *target*, under the id of the keys or *document_id*."""
        return Op(sink.name, self.source, target, document_id or self.id, body, self.version)

    def delete(self, sink: type[Sink], target: str, *, document_id: str | None = None) -> Op:
        """The op that deletes from *target* what has the id of the keys or *document_id*."""
        return Op(sink.name, self.source, target, document_id or self.id, None, self.version)
