"""The table of runs."""

from dataclasses import replace
from typing import Any, Final, TypeVar

from sync.aws.clients import Clients, failures
from sync.aws.keys import AttributeMap
from sync.aws.pages import pages
from sync.runs.rows import RUN, Run, Segment, part_of, run_item, run_of, segment_item, segment_of
from sync.runtime.clock import Clock, now_s
from sync.runtime.deadline import Deadline
from sync.runtime.moments import iso

KEPT_S: Final = 90 * 24 * 3600  # after its last change; a run that is not over is kept

R = TypeVar("R", Run, Segment)


class RunsTable:
    """The rows of the table *name*, key `run` and `part`. Every method raises Retry if a request
    to DynamoDB fails."""

    def __init__(self, name: str, clients: Clients, clock: Clock) -> None:
        self._name = name
        self._clients = clients
        self._clock = clock

    def add(self, run: Run) -> list[Segment]:
        """Write the rows of the new *run*, its own last: a run exists only with its segments.

        Returns its segments.
        """
        segments = [
            self._stamped(Segment(run.id, number, revision=1)) for number in range(run.segments)
        ]
        for segment in segments:
            self._put(segment_item(segment))
        self._put(run_item(replace(run, revision=1)))
        return segments

    def run(self, id_: str) -> Run | None:
        """The run; None if there is none."""
        item = self._get(id_, RUN)
        return run_of(item) if item else None

    def segment(self, id_: str, number: int) -> Segment | None:
        """A segment of a run; None if there is none."""
        item = self._get(id_, part_of(number))
        return segment_of(item) if item else None

    def segments(self, id_: str, deadline: Deadline) -> list[Segment]:
        """All segments of a run."""
        rows = pages(
            self._clients,
            "query",
            deadline,
            TableName=self._name,
            KeyConditionExpression="#run = :run AND #part < :end",
            ExpressionAttributeNames={"#run": "run", "#part": "part"},
            ExpressionAttributeValues={":run": {"S": id_}, ":end": {"S": RUN}},
        )
        return list(map(segment_of, rows))

    def runs(self, deadline: Deadline) -> list[Run]:
        """All runs, the newest first."""
        rows = pages(
            self._clients,
            "scan",
            deadline,
            TableName=self._name,
            FilterExpression="#part = :run",
            ExpressionAttributeNames={"#part": "part"},
            ExpressionAttributeValues={":run": {"S": RUN}},
        )
        return sorted(map(run_of, rows), key=lambda run: run.started_at, reverse=True)

    def save(self, row: R) -> R | None:
        """Replace a row with *row*, which was made from it. None if it was changed meanwhile.

        Returns what is stored now.
        """
        new = replace(row, revision=row.revision + 1)
        if isinstance(new, Segment):
            new = self._stamped(new)
            item = segment_item(new)
        else:
            item = run_item(new)
        return new if self._put(item, row.revision) else None

    def finish(self, id_: str, deadline: Deadline) -> None:
        """End the run if all of its segments are done. Harmless if it is over."""
        if not all(segment.done for segment in self.segments(id_, deadline)):
            return
        while (run := self.run(id_)) is not None and run.finished_at is None:
            ended = replace(run, status="done", finished_at=iso(now_s(self._clock)))
            if self.save(ended) is not None:
                return

    def _stamped(self, segment: Segment) -> Segment:
        return replace(segment, updated_at=iso(now_s(self._clock)))

    def _put(self, item: dict[str, Any], revision: int = 0) -> bool:
        """Write *item* if its row has *revision*, 0 for a row that does not exist. False if not."""
        kept = item["part"]["S"] == RUN and "finished_at" not in item
        if not kept:
            item["expires_at"] = {"N": str(int(now_s(self._clock)) + KEPT_S)}
        request: dict[str, Any] = {
            "TableName": self._name,
            "Item": item,
            "ConditionExpression": "attribute_not_exists(#revision)",
            "ExpressionAttributeNames": {"#revision": "revision"},
        }
        if revision:
            request["ConditionExpression"] = "#revision = :revision"
            request["ExpressionAttributeValues"] = {":revision": {"N": str(revision)}}
        with failures(f"writing to {self._name}"):
            client = self._clients("dynamodb")
            try:
                client.put_item(**request)
            except client.exceptions.ConditionalCheckFailedException:
                # The client may have sent the request twice, since the first answer was lost.
                there = self._get(item["run"]["S"], item["part"]["S"])
                return there is not None and _row(there) == _row(item)
        return True

    def _get(self, id_: str, part: str) -> Any:
        with failures(f"reading from {self._name}"):
            answer = self._clients("dynamodb").get_item(
                TableName=self._name,
                Key={"run": {"S": id_}, "part": {"S": part}},
                ConsistentRead=True,
            )
        return answer.get("Item")


def _row(item: AttributeMap) -> Run | Segment:
    return run_of(item) if item["part"]["S"] == RUN else segment_of(item)
