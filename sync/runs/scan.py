"""Reading a table page by page: the pages of one segment, or those of one partition."""

from dataclasses import dataclass
from typing import Any, Final

from sync.aws.clients import Clients, failures
from sync.aws.keys import AttributeMap
from sync.aws.pages import last_key
from sync.aws.wire import plain, wire
from sync.errors import Throttled
from sync.runs.rows import Run, Segment
from sync.runtime.deadline import Deadline
from sync.runtime.retry import full_jitter

MOST_ITEMS: Final = 1_000
TRIES: Final = 6  # of a page that is throttled; then the run waits for longer


@dataclass(frozen=True, slots=True)
class Scanned:
    """A page: its items, the key after which the next begins (None: it is the last), its cost."""

    items: list[AttributeMap]
    last: AttributeMap | None
    units: float


class Scan:
    """Reads the page at the cursor of *segment*, consistently, as often as it is asked to.

    A page has at most MOST_ITEMS and 1 MB before filtering (DynamoDB guide, Scan). With a
    rate it has as many items as cost a second of it, if they have up to 4 KB.
    """

    def __init__(self, clients: Clients, run: Run, segment: Segment) -> None:
        self._clients = clients
        self._table = run.table
        arguments, name = run.arguments, run.arguments["keys"][0]
        self._how = "scan"
        self._request: dict[str, Any] = {
            "TableName": run.table,
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
        }
        partition, prefix = arguments.get("partition"), arguments.get("prefix")
        if partition is not None:
            self._how = "query"
            self._request["KeyConditionExpression"] = "#key = :key"
        else:
            self._request |= {"Segment": segment.number, "TotalSegments": run.segments}
            if prefix:
                self._request["FilterExpression"] = "begins_with(#key, :key)"
        if partition or prefix:
            self._request["ExpressionAttributeNames"] = {"#key": name}
            self._request["ExpressionAttributeValues"] = {":key": {"S": partition or prefix}}
        self._request["Limit"] = MOST_ITEMS
        if rate := arguments.get("rate"):
            self.limit(max(1, int(rate / run.segments)))
        if segment.cursor is not None:
            self._request["ExclusiveStartKey"] = wire(segment.cursor)

    def limit(self, most: int) -> None:
        """Read at most *most* items from now on."""
        self._request["Limit"] = min(most, self._request["Limit"])

    def read(self, deadline: Deadline, tries: int = TRIES) -> Scanned:
        """The page. Raises Retry, Throttled only after *tries*."""
        retry = 0
        while True:
            try:
                return self._ask()
            except Throttled:
                retry += 1
                if retry == tries or not deadline.pause(full_jitter(retry, base_s=0.5)):
                    raise

    def _ask(self) -> Scanned:
        with failures(f"reading {self._table}"):
            answer = getattr(self._clients("dynamodb"), self._how)(**self._request)
        return Scanned(
            plain(answer, answer["Items"]),
            last_key(answer),
            float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)),
        )
