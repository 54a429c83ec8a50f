"""The dead-letter table in an account in this process."""

from collections.abc import Callable
from typing import Any

from sync.deadletters.row import Row, to_item
from sync.deadletters.table import DeadLetterTable, Filter
from sync.runtime.deadline import Deadline
from tests.doubles.clocks import ManualClock
from tests.doubles.derived import Watched
from tests.settings import LISTED

NAME = "stream-sync-test-letters"
NOW_S = 1_800_000_000.5
NOW = "2027-01-15T08:00:00.500Z"


class Rows:
    """The table, and what is asked of DynamoDB for it."""

    def __init__(self, client: Any) -> None:
        _create(client)
        self.watched = Watched(client)
        self.clock = ManualClock(NOW_S)
        self.table = DeadLetterTable(NAME, self.watched, self.clock)
        self.deadline = Deadline(60)

    def until(self, seconds: float) -> Deadline:
        """A deadline in *seconds*."""
        return Deadline(seconds, clock=self.clock.monotonic, sleep=self.clock.sleep)

    def put(self, *rows: Row) -> None:
        for row in rows:
            self.watched.client.put_item(TableName=NAME, Item=to_item(row))

    def get(self, id_: str = "row") -> Any:
        """The item as it is stored."""
        key = {"id": {"S": id_}}
        return self.watched.client.get_item(TableName=NAME, Key=key).get("Item")

    def once(self, name: str, meanwhile: Callable[[], object]) -> None:
        """Let *meanwhile* happen before each call called *name*."""

        def fault(called: str, call: Callable[[], Any]) -> Any:
            if called == name:
                meanwhile()
            return call()

        self.watched.fault = fault

    def page(
        self, which: Filter | None = None, *, limit: int = 10, cursor: str | None = None
    ) -> tuple[list[str], str | None]:
        """The ids of a page's rows, and its cursor."""
        rows, cursor = self.table.page(
            which or Filter(), limit=limit, cursor=cursor, deadline=self.deadline
        )
        return [row.id for row in rows], cursor


def _create(client: Any) -> None:
    names = ("id", "status", "first_at")
    client.create_table(
        TableName=NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-status",
                "KeySchema": [
                    {"AttributeName": "status", "KeyType": "HASH"},
                    {"AttributeName": "first_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)},
            }
        ],
    )
