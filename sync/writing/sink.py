"""What a sink is, and what it may be besides."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeGuard, runtime_checkable

from sync.runtime.deadline import Deadline
from sync.writing.op import Op, Outcome

if TYPE_CHECKING:
    from sync.aws.responses import BatchResponse
    from sync.deadletters.brake import Brake
    from sync.deadletters.letters import DeadLetters
    from sync.model.model import Model
    from sync.recovery.parking import Parking
    from sync.recovery.resync import Resync
    from sync.writing.fanout import Fanout


class Sink(Protocol):
    """A place that ops are written to.

    Lambda redelivers: writing an op again must leave the sink as it was.
    """

    name: ClassVar[str]  # in logs, dead letters and mappings/<name>/
    effect_s: float  # within which a request takes effect, if ever; see sync/runtime/waits.py

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Build the sink from environment variables; called once per warm container.

        Reads and checks settings, and nothing more: clients are imported and built by the first
        write. Raises ConfigError.
        """
        ...

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        """Write *ops*, no two of one (target, id), and yield one outcome for each, in any order.

        Chunks to the destination's own limits, reads every per-item result, tries again what may
        pass while *deadline* allows, and gives back what is left as Retry. Raises only on a bug.
        """
        ...


def skips_equal(sink: type[Sink]) -> bool:
    """Whether *sink* says, by `skips_equal = True`, that it need not be told of a change which
    leaves a document as it was (SPEC S3.3). A resync tells it all the same."""
    return bool(getattr(sink, "skips_equal", False))


@runtime_checkable
class Schematic(Protocol):
    """A sink whose targets have a schema, which is generated from the models that feed them."""

    @classmethod
    def schema(cls, models: Sequence[type["Model"]]) -> dict[str, Any]:
        """The schema of a target that *models* feed; `mappings/<sink>/<target>.json` holds it."""
        ...

    def prepare(self, target: str, schema: Mapping[str, Any]) -> str:
        """Make *target*, or extend it; "created", "extended" or "unchanged". Raises Retry."""
        ...


class Worker(Protocol):
    """What handles the messages of one queue."""

    def run(self, records: Sequence[Mapping[str, Any]], deadline: Deadline) -> "BatchResponse":
        """Handle SQS *records*; reports those that are to come again. Raises on a bug."""
        ...


class Queued(Protocol):
    """A sink that hands its ops to a queue, from which a worker writes them to another sink."""

    name: ClassVar[str]
    queue_url: str
    dead_letter_queue_url: str  # where its messages end that failed too often; "": nowhere

    def direct(self) -> Sink:
        """The sink that the worker writes to. Raises ConfigError."""
        ...

    def worker(
        self,
        fanout: "Fanout",
        resync: "Resync",
        parking: "Parking",
        dead_letters: "DeadLetters",
        brake: "Brake",
    ) -> Worker:
        """What handles the queue's messages; *fanout* and *resync* write to `direct`."""
        ...

    def contents(self, body: str) -> Sequence[tuple[Op, str]]:
        """The ops that a message of the queue speaks of, each with what it says of it, as JSON.

        For telling whose keys a message was about: an op of a message that failed is never
        written. Raises RecordError for what is no such message.
        """
        ...


def has_queue(sink: object) -> TypeGuard[Queued]:
    """Whether *sink* has a queue of its own. By one member: to compare a protocol's all takes a
    cold start tens of microseconds each time."""
    return hasattr(sink, "queue_url")
