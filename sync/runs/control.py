"""Starting, watching, pausing, resuming and cancelling runs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from sync.errors import ConfigError, Throttled
from sync.runs.messages import RunMessage, RunQueue
from sync.runs.rows import Run, Segment, Status
from sync.runs.table import RunsTable
from sync.runs.worker import note_sent
from sync.runtime.clock import Clock, now_s
from sync.runtime.deadline import Deadline
from sync.runtime.log import logger
from sync.runtime.moments import epoch, iso

STILL_S: Final = 2700.0  # without a change, a segment's messages are lost: they wait for half of it
_TRIES: Final = 5  # of a change of a run's row


class Control:
    """What people do with runs. Every method raises Retry if AWS does not answer.

    *wait_s*: longer than any request of a sink may take effect.
    """

    def __init__(self, table: RunsTable, queue: RunQueue, clock: Clock, *, wait_s: float) -> None:
        self._table = table
        self._queue = queue
        self._clock = clock
        self._wait_s = wait_s

    def start(
        self,
        kind: str,
        table: str,
        arguments: Mapping[str, Any],
        *,
        segments: int,
        items: int | None,
    ) -> Run:
        """Start a run of *kind* over *table* in so many *segments*; *items*: how many it has."""
        started_at = iso(now_s(self._clock))
        run = Run(uuid4().hex[:12], kind, table, arguments, segments, items, started_at)
        made = self._table.add(run)
        self._send(made)
        return run

    def runs(self, deadline: Deadline) -> list[Run]:
        """All runs, the newest first."""
        return self._table.runs(deadline)

    def run(self, id_: str) -> Run:
        """The run. Raises ConfigError if there is none."""
        run = self._table.run(id_)
        if run is None:
            raise ConfigError(f"no run {id_!r}; `backfill list` shows which there are")
        return run

    def segments(self, id_: str, deadline: Deadline) -> list[Segment]:
        """The segments of a run."""
        return self._table.segments(id_, deadline)

    def pause(self, id_: str) -> Run:
        """Let the run end after the pages at hand, until it is resumed. Raises ConfigError if it is
        over."""
        return self._turn(id_, "paused")

    def cancel(self, id_: str) -> Run:
        """End the run after the pages at hand. Raises ConfigError if it is over."""
        return self._turn(id_, "cancelled")

    def relabel(self, id_: str, arguments: Mapping[str, Any]) -> Run:
        """Replace the arguments of the run, also of one that is over. Raises ConfigError if there
        is none."""
        for _ in range(_TRIES):
            if (saved := self._table.save(replace(self.run(id_), arguments=arguments))) is not None:
                return saved
        raise Throttled(f"the run {id_} changed at each of {_TRIES} tries")

    def resume(self, id_: str, deadline: Deadline) -> Run:
        """Let the run go on; or go on without a further wait, as far as that is safe. Raises
        ConfigError if it is over."""
        run = self._turn(id_, "running")  # first: a worker that pauses just now looks once more
        self._wake(run, deadline, still_s=0.0)
        return run

    def revive(self, deadline: Deadline) -> int:
        """Send the messages of segments that stand still, as theirs were lost, and end runs that
        are done; returns how many messages were sent. A schedule calls it."""
        sent = 0
        for run in self._table.runs(deadline):
            if run.status == "running":
                sent += self._wake(run, deadline, still_s=STILL_S)
        return sent

    def _turn(self, id_: str, status: Status) -> Run:
        """Set the status of a run."""
        for _ in range(_TRIES):
            run = self.run(id_)
            if run.finished_at is not None:
                raise ConfigError(f"the run {id_} is over: {run.status} at {run.finished_at}")
            over = iso(now_s(self._clock)) if status == "cancelled" else None
            saved = self._table.save(replace(run, status=status, finished_at=over))
            if saved is not None:
                return saved
        raise Throttled(f"the run {id_} changed at each of {_TRIES} tries")

    def _wake(self, run: Run, deadline: Deadline, *, still_s: float) -> int:
        """Send new messages for the segments of *run* that nobody works on and that have not
        changed for *still_s*. Their earlier messages count no longer."""
        segments = self._table.segments(run.id, deadline)
        if all(segment.done for segment in segments):
            self._table.finish(run.id, deadline)
        now = now_s(self._clock)
        woken = []
        for segment in segments:
            still = now - epoch(segment.updated_at) >= still_s
            if segment.done or segment.is_held(now) or not still:
                continue
            if (saved := self._table.save(replace(segment, hop=segment.hop + 1))) is not None:
                woken.append(saved)
        if woken and still_s:
            extra = {"run": run.id, "table": run.table, "count": len(woken)}
            logger.warning("segments of a run stood still; they go on", extra=extra)
        self._send([segment for segment in woken if not segment.begun])
        self._send([segment for segment in woken if segment.begun], self._wait_s)
        return len(woken)

    def _send(self, segments: list[Segment], delay_s: float = 0.0) -> None:
        messages = (RunMessage(each.run, each.number, each.hop) for each in segments)
        self._queue.send(messages, delay_s)
        for segment in segments:
            note_sent(self._table, segment)
