"""What a model says (Op), what a sink answers (Outcome), and what a sink is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from sync.deadline import Deadline
from sync.errors import Refused, Retry

if TYPE_CHECKING:
    from sync.deadletters import DeadLetters
    from sync.fanout import Fanout
    from sync.model import Model
    from sync.parking import Parking
    from sync.responses import BatchResponse
    from sync.resync import Resync

AttributeMap = Mapping[str, Mapping[str, Any]]
"""An item or key as DynamoDB writes it: `{"PK": {"S": "…"}}`."""


@dataclass(frozen=True, slots=True)
class Source:
    """The item an op speaks for: *table* is its full name, *keys* its key attributes."""

    table: str
    keys: AttributeMap

    def __hash__(self) -> int:  # dicts have none
        return hash(
            (self.table, frozenset((n, next(iter(av.values()))) for n, av in self.keys.items()))
        )

    def __str__(self) -> str:
        keys = ", ".join(f"{name}={next(iter(av.values()))}" for name, av in self.keys.items())
        return f"{self.table}({keys})"


@dataclass(frozen=True, slots=True)
class Op:
    """A statement of state: `target`/`id` now holds *body*; None: it holds nothing.

    Never a delta, so writing it twice leaves what writing it once does.
    """

    source: Source
    target: str  # index, namespace or collection
    id: str
    body: bytes | None  # one line of JSON
    version: int  # orders the writes of one id; sync/versions.py says how it is made
    since: float | None = None  # epoch seconds at which its key was first parked, if it was


class Done(Enum):
    """How an op ended well."""

    WRITTEN = "written"
    STALE = "stale"  # the sink holds something newer


class Outcome(NamedTuple):
    """What became of an op: done, or the error that says why not."""

    op: Op
    result: Done | Refused | Retry


class Sink(Protocol):
    """A place that ops are written to.

    Lambda redelivers: writing an op again must leave the sink as it was.
    """

    name: ClassVar[str]  # in logs, dead letters and mappings/<name>/
    timeout_s: float  # how long a request may take; what is parked waits longer

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


@runtime_checkable
class Queued(Protocol):
    """A sink that hands its ops to a queue, from which a worker writes them to another sink."""

    name: ClassVar[str]
    queue_url: str
    dead_letter_queue_url: str  # where its messages end that failed too often; "": nowhere

    def direct(self) -> Sink:
        """The sink that the worker writes to. Raises ConfigError."""
        ...

    def worker(
        self, fanout: "Fanout", resync: "Resync", parking: "Parking", dead_letters: "DeadLetters"
    ) -> Worker:
        """What handles the queue's messages; *fanout* and *resync* write to `direct`."""
        ...

    def contents(self, body: str) -> Sequence[tuple[Op, str]]:
        """The ops that a message of the queue speaks of, each with what it says of it, as JSON.

        For telling whose keys a message was about: an op of a message that failed is never
        written. Raises RecordError for what is no such message.
        """
        ...
