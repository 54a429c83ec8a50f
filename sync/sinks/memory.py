"""A sink in memory, for tests and docs; versioned like OpenSearch, or plain like a KV store."""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Self

from sync.runtime.deadline import Deadline
from sync.writing.comparing import Compared, Walk, differs, exact
from sync.writing.op import Done, Op, Outcome


class Memory:
    """Documents by (target, id). Versioned: an older version is stale, an equal one is written."""

    name: ClassVar[str] = "memory"
    effect_s = 0.0

    def __init__(self, *, versioned: bool = True) -> None:
        self.documents: dict[tuple[str, str], bytes] = {}
        self._versions: dict[tuple[str, str], int] = {}  # also of deleted documents
        self._versioned = versioned

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        del env  # nothing to set
        return cls()

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        del deadline  # writing to memory takes no time
        for op in ops:
            key = op.target, op.id
            if self._versioned and op.version < self._versions.get(key, op.version):
                yield Outcome(op, Done.STALE)
                continue
            self._versions[key] = op.version
            if op.body is None:
                self.documents.pop(key, None)
            else:
                self.documents[key] = op.body
            yield Outcome(op, Done.WRITTEN)

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        del deadline
        for op in ops:
            body = self.documents.get((op.target, op.id))
            yield Compared(op, differs(op.body, None if body is None else exact(body)))

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        del deadline
        for id_ in self._of(target):
            if start is None or id_ > start:
                yield id_, id_

    def sample(self, target: str, count: int, deadline: Deadline) -> Sequence[str]:
        del deadline
        found = self._of(target)
        return random.sample(found, min(count, len(found)))

    def _of(self, target: str) -> list[str]:
        """The ids of the documents in *target*, sorted."""
        return sorted(id_ for of, id_ in list(self.documents) if of == target)
