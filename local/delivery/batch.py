"""Records that are sent to the function together, and what became of their invocations."""

from collections.abc import Sequence
from dataclasses import dataclass

from local.delivery.ports import Answered, Discarded
from local.delivery.records import Record
from local.delivery.rules import Backoff


@dataclass(slots=True)
class Batch:
    """A batch; *discarded* is set once it is given up."""

    records: Sequence[Record]
    failures: int = 0  # that count as retries
    invocations: int = 0  # all that any of these records was part of, before splits too
    tries: int = 0  # in a row with exactly these records, for the backoff
    not_before: float = 0.0
    last: Answered | None = None
    discarded: Discarded | None = None
    not_sent: int = 0  # how often the on-failure document could not be sent

    def part(self, records: Sequence[Record], *, failures: int) -> "Batch":
        """A batch of some of these *records*, with the invocations so far."""
        return Batch(records, failures, self.invocations, last=self.last)

    def delay(self, now: float, backoff: Backoff) -> None:
        """Count one more failed try, and wait for as long as *backoff* says."""
        self.tries += 1
        self.not_before = now + backoff.delay_s(self.tries)
