"""Reads a collection: documents by id, and the ids of all of them.

Typesense filters ids by equality alone, so a walk is one export of ids, in the order in which the
documents came. It is read while it arrives. To go on, a later walk skips what an earlier one had:
an update leaves a document's place as it is, and a delete moves the later ones up. So a place holds
how many ids were read and the last few of them, and the walk goes on after the last one that is
still there. If all of them were deleted, it starts anew.
"""

import json
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Protocol, TypeVar

from sync.errors import ConfigError, NotTried, Unavailable
from sync.runtime.deadline import Deadline
from sync.runtime.jsontext import strict
from sync.runtime.retry import persist
from sync.sinks.typesense.answers import TooLarge
from sync.sinks.typesense.documents import decode, encode
from sync.writing.comparing import Compared, Walk, compared
from sync.writing.ids import check_id
from sync.writing.op import Op

MOST_READ: Final = 250  # documents in one answer: the server's limit of a page
ANCHORS: Final = 5  # ids by which a walk finds its place again
TRIES: Final = 3
MARGIN_S: Final = 0.2  # between a request's timeout and the deadline, to read the answer

T = TypeVar("T")


class Client(Protocol):
    """What reading needs of `client.Connection`."""

    def documents(self, target: str, ids: Sequence[str], timeout_s: float) -> list[Any]: ...

    def document(self, target: str, id_: str, timeout_s: float) -> Any: ...

    def export_ids(self, target: str, timeout_s: float) -> Iterator[str]: ...


class Reader:
    """Reads through *client*; no request takes longer than *timeout_s*, or than the deadline.

    The alias of a target is *prefix* and its name.
    """

    def __init__(self, client: Client, timeout_s: float, prefix: str = "") -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._prefix = prefix

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        """See `Comparable.compare`."""

        def read(target: str, part: Sequence[Op]) -> Iterator[Any]:
            held = self._documents(target, [op.id for op in part], deadline)
            for op in part:
                yield decode(held[op.id]) if op.id in held else None

        return compared(ops, MOST_READ, _check, read)

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        """See `Comparable.ids`."""
        skipped = 0 if start is None else self._skipped(target, start, deadline)
        recent: deque[str] = deque(maxlen=ANCHORS)
        export = self._export(target, deadline)
        for read, id_ in enumerate(export, 1):
            recent.append(id_)
            if read > skipped:
                yield id_, strict([read, *recent])

    def sample(self, target: str, count: int, deadline: Deadline) -> Sequence[str]:
        """See `Comparable.sample`. Every document has the same chance."""
        export = self._export(target, deadline)
        found = list(islice(export, count))
        for read, id_ in enumerate(export, count + 1):
            if (at := random.randrange(read)) < count:  # noqa: S311 - not a secret
                found[at] = id_
        return found

    def _skipped(self, target: str, start: str, deadline: Deadline) -> int:
        """How many ids now stand before the place *start*, it included."""
        try:
            most, *recent = json.loads(start)
            most = int(most)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"no place in a collection: {start[:80]!r}") from error
        last = 0
        for read, id_ in enumerate(islice(self._export(target, deadline), most), 1):
            if id_ in recent:
                last = read
        return last

    def _documents(self, target: str, ids: Sequence[str], deadline: Deadline) -> dict[str, Any]:
        """Those of the documents *ids* that exist, by id. Raises Retry."""
        alias = f"{self._prefix}{target}"
        # A filter has no way to write this character.
        quotable = [id_ for id_ in ids if "`" not in id_]
        found = (
            self._ask(deadline, lambda left_s: self._client.documents(alias, quotable, left_s))
            if quotable
            else []
        )
        for id_ in ids:
            if "`" in id_ and (one := self._one(alias, id_, deadline)) is not None:
                found.append(one)
        held = {str(document["id"]): document for document in found}
        if not held.keys() <= set(ids):
            raise Unavailable(f"{alias}: the answer holds documents that were not asked for")
        return held

    def _one(self, alias: str, id_: str, deadline: Deadline) -> Any:
        return self._ask(deadline, lambda left_s: self._client.document(alias, id_, left_s))

    def _export(self, target: str, deadline: Deadline) -> Iterator[str]:
        """The ids of *target*, while they arrive. Raises Retry, also after some of them."""

        def begin(left_s: float) -> tuple[list[str], Iterator[str]]:
            export = self._client.export_ids(f"{self._prefix}{target}", left_s)
            return list(islice(export, 1)), export  # the request is sent for the first id

        first, export = self._ask(deadline, begin)
        yield from first
        yield from export

    def _ask(self, deadline: Deadline, ask: Callable[[float], T]) -> T:
        def once() -> T:
            left_s = min(self._timeout_s, deadline.remaining() - MARGIN_S)
            if left_s < MARGIN_S:
                raise NotTried("no time is left before the deadline")
            try:
                return ask(left_s)
            except TooLarge as error:
                raise Unavailable(f"reading: {error}") from error

        return persist(once, deadline, tries=TRIES)


def _check(op: Op) -> None:
    """Raises Refused if there can be no document of *op*."""
    if op.body is None:
        check_id(op.id)
    else:
        encode(op)
