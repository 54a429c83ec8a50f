"""The contract of sinks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from sync.runtime.deadline import Deadline
from sync.writing.lane import Lanes
from sync.writing.op import Op, Outcome
from sync.writing.schema import Schema


class Writer(Protocol):
    """Accepts ops: a sink, or the sender to its queue."""

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        """Write *ops*, no two of one (target, id), and yield one outcome for each, in any order.

        Splits them into requests within the destination's limits, reads the result of every item,
        and retries temporary failures until *deadline*. Ops that still fail have a Retry as their
        result. Raises only for a bug.
        """
        ...


class Sink(Writer, Protocol):
    """A destination of ops. Writing must be idempotent, since Lambda delivers records again.

    A sink's class may also have the attributes `skips_equal = True` and `lanes = Lanes(…)`, which
    the functions below read. A sink that can be read back implements `Comparable`, too
    (sync/writing/comparing.py).
    """

    name: ClassVar[str]  # in ops, logs, dead letters and mappings/<name>/
    effect_s: float  # seconds within which a request takes effect; see sync/runtime/waits.py

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """The sink with the settings in *env*; called once for each warm container.

        Only reads and checks settings: the first write imports and builds clients. Raises
        ConfigError.
        """
        ...


def skips_equal(sink: type[Sink]) -> bool:
    """Whether the stream yields no op for *sink* if the document is unchanged (requirements S3.3).

    A resync writes it nevertheless.
    """
    return bool(getattr(sink, "skips_equal", False))


def lanes_of(sink: type[Sink]) -> Lanes | None:
    """The lanes of *sink*; None if ops are written to it without a queue."""
    return getattr(sink, "lanes", None)


@runtime_checkable
class Schematic(Protocol):
    """A sink whose targets have schemas, which are generated from the models that feed them."""

    @classmethod
    def schema(cls, documents: Sequence[Schema]) -> dict[str, Any]:
        """The schema of a target for *documents*, as `mappings/<sink>/<target>.json` holds it.

        Raises RegistryError if two of *documents* give a field different types.
        """
        ...

    @classmethod
    def conflicts(cls, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
        """The fields because of which a target of the schema *there* can't be made *wanted* in
        place: its documents have to be written anew (`reindex`)."""
        ...

    def prepare(self, target: str, schema: Mapping[str, Any]) -> str:
        """Create or extend *target*: returns "created", "extended" or "unchanged". Raises Retry."""
        ...
