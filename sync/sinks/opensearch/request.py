"""One bulk request, and what its answer says of each op.

    guards   a harmless update of each target that has no put
    probes   a harmless update of each shadow that may be there
    ops      to the targets
    ops      once more, to the shadows of the targets that have one (sync/writing/shadows.py)

OpenSearch checks `require_alias` for puts and updates only: deletes alone, since they have external
versions, would create an index with the alias's name (seen with OpenSearch 3.6). Guards prevent
that. Probes find a new shadow without a request of their own. A request resolves all its aliases
at the same moment, so while they are swapped it still reaches both places of a target.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from sync.errors import Refused
from sync.sinks.opensearch.answers import HARMLESS_ID, action, is_missing, item_result, items_of
from sync.writing.ids import check_id
from sync.writing.op import Op, Result
from sync.writing.shadows import SHADOW, Places, of_both
from sync.writing.versions import HIGHEST

MAX_BODY_BYTES: Final = (
    10_000_000  # small domains take requests of 10 MiB (OpenSearch Service quotas)
)


class Line(NamedTuple):
    """An op, and its lines in a bulk request."""

    op: Op
    data: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The result of each op, in order; and which targets have a shadow, as far as it says that."""

    results: Sequence[Result]
    shadowed: Collection[str]
    bare: Collection[str]


class Request:
    """Writes *lines*, whose ops go to some of *targets*. *shadowed*: those known to have a shadow.
    *prefix*: of all aliases."""

    def __init__(
        self,
        lines: Sequence[Line],
        targets: Set[str],
        shadowed: Collection[str],
        prefix: str,
    ) -> None:
        self._lines = lines
        self._prefix = prefix
        put = {line.op.target for line in lines if line.op.body is not None}
        self._guarded = sorted(targets - put)
        self._probed = sorted(t for t in targets if t not in put or t not in shadowed)
        self._twice = [at for at, line in enumerate(lines) if line.op.target in shadowed]

    @property
    def body(self) -> bytes:
        guards = [harmless_update(f"{self._prefix}{target}") for target in self._guarded]
        probes = [harmless_update(f"{self._prefix}{target}{SHADOW}") for target in self._probed]
        again = (self._lines[at].op for at in self._twice)
        shadows = (lines_of(op, f"{self._prefix}{op.target}{SHADOW}") for op in again)
        return b"".join([*guards, *probes, *(line.data for line in self._lines), *shadows])

    def read(self, answer: Any) -> Answered:
        """Raises Unavailable if the items of *answer* do not match: the results are unknown."""
        ops = [line.op for line in self._lines]
        again = [ops[at] for at in self._twice]
        harmless = [("update", HARMLESS_ID)] * (len(self._guarded) + len(self._probed))
        asked = harmless + [(action(op), op.id) for op in (*ops, *again)]
        items = items_of(answer, asked)
        shadowed, bare = set[str](), set[str]()
        for target, item in zip(self._probed, items[len(self._guarded) :], strict=False):
            (bare if is_missing(item) else shadowed).add(target)
        written = items[len(harmless) :]
        results = [item_result(action(op), item) for op, item in zip(ops, written, strict=False)]
        for at, item in zip(self._twice, written[len(ops) :], strict=True):
            op = ops[at]
            if is_missing(item):
                bare.add(op.target)
            else:
                shadowed.add(op.target)
                places = self._places(op, written[at], item)
                shadow = item_result(action(op), item)
                results[at] = of_both(op, results[at], shadow, places)
        return Answered(results, shadowed - bare, bare)

    def _places(self, op: Op, live: Mapping[str, Any], shadow: Mapping[str, Any]) -> Places:
        """Where *op* was written to, by both items of the answer."""
        place = str(shadow.get("_index"))
        alias = f"{self._prefix}{op.target}{SHADOW}"  # named by some errors instead of its index
        return Places(str(live.get("_index")) if place != alias else None, place)


def encode(op: Op, prefix: str = "") -> bytes:
    """The lines of *op* in a bulk request; *prefix* is that of aliases.

    Raises Refused if they would affect other ops: one bad id or version fails a whole request, and
    a newline in a body would start a new action.
    """
    check_id(op.id)
    if not 0 <= op.version <= HIGHEST:
        raise Refused(f"version {op.version} is not between 0 and 2^63 - 1")
    if op.body is not None and len(op.body) > MAX_BODY_BYTES:
        raise Refused(f"the body has {len(op.body):,} bytes, more than {MAX_BODY_BYTES:,}")
    if op.body is not None and b"\n" in op.body:
        raise Refused("the body has more than one line")
    return lines_of(op, f"{prefix}{op.target}")


def lines_of(op: Op, alias: str) -> bytes:
    """The lines of *op*, which has been checked, for a write to *alias*."""
    head = orjson.dumps(
        {
            action(op): {
                "_index": alias,
                "_id": op.id,
                "version": op.version,
                "version_type": "external_gte",
            }
        }
    )
    return head + b"\n" if op.body is None else b"%b\n%b\n" % (head, op.body)


def harmless_update(alias: str) -> bytes:
    """The lines of an update that changes nothing, whether or not its document exists."""
    head = orjson.dumps({"update": {"_index": alias, "_id": HARMLESS_ID}})
    return head + b'\n{"doc":{}}\n'
