"""What a sink is, and what it may be besides."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

from sync.runtime.deadline import Deadline
from sync.writing.lane import Lanes
from sync.writing.op import Op, Outcome
from sync.writing.schema import Schema


class Writer(Protocol):
    """What a fanout writes to: a sink, or what stands before one."""

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        """Write *ops*, no two of one (target, id), and yield one outcome for each, in any order.

        Chunks to the destination's own limits, reads every per-item result, tries again what may
        pass while *deadline* allows, and gives back what is left as Retry. Raises only on a bug.
        """
        ...


class Sink(Writer, Protocol):
    """A place that ops are written to.

    Lambda redelivers: writing an op again must leave the sink as it was. A sink's class may have
    two more attributes: `skips_equal = True` and `lanes = Lanes(…)`, see below.
    """

    name: ClassVar[str]  # in ops, logs, dead letters and mappings/<name>/
    effect_s: float  # within which a request takes effect, if ever; see sync/runtime/waits.py

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Build the sink from environment variables; called once per warm container.

        Reads and checks settings, and nothing more: clients are imported and built by the first
        write. Raises ConfigError.
        """
        ...


def skips_equal(sink: type[Sink]) -> bool:
    """Whether the stream sends *sink* no op for a change that leaves the document as it was
    (requirements S3.3). A resync writes it all the same."""
    return bool(getattr(sink, "skips_equal", False))


def lanes_of(sink: type[Sink]) -> Lanes | None:
    """The lanes through which the stream writes to *sink*; None: it writes to it directly."""
    return getattr(sink, "lanes", None)


@runtime_checkable
class Schematic(Protocol):
    """A sink whose targets have a schema, which is generated from the models that feed them."""

    @classmethod
    def schema(cls, documents: Sequence[Schema]) -> dict[str, Any]:
        """The schema of a target that takes *documents*; `mappings/<sink>/<target>.json` holds it.

        Raises RegistryError where two of *documents* give one field different types.
        """
        ...

    def prepare(self, target: str, schema: Mapping[str, Any]) -> str:
        """Make *target*, or extend it; "created", "extended" or "unchanged". Raises Retry."""
        ...
