"""Clients of several DynamoDBs, so that one test can ask them all."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from tests.simulation.alone import in_task, pass_time
from tests.simulation.aws import Aws
from tests.simulation.calls import Calls, Trouble
from tests.simulation.dynamodb import DynamoDB
from tests.simulation.stream import Stream
from tests.simulation.table import Streamed, Table
from tests.simulation.transactions import BUSY_S
from tests.simulation.world import World
from tests.tables import create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CORE, ROWS = "core", "rows"
TABLES: Final = {CORE: ("PK", "SK"), ROWS: ("id",)}


class Simulated:
    """The simulated client, from outside the world; some time passes between its calls."""

    def __init__(self) -> None:
        self.world = World(1)
        stream = Stream(self.world, CORE)
        types = {name: dict.fromkeys(keys, "S") for name, keys in TABLES.items()}
        self.core = Streamed(self.world, CORE, TABLES[CORE], stream, types=types[CORE])
        self.rows = Table(self.world, ROWS, TABLES[ROWS], types=types[ROWS])
        self.client = DynamoDB(Aws(Calls(self.world, Trouble())), [self.core, self.rows])

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            answer, error = in_task(self.world, lambda: getattr(self.client, name)(**given))
            pass_time(self.world, BUSY_S)
            if error:
                raise error
            return answer

        return call


class Real:
    """A client of boto3's, with new tables that go by the same names."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client: Any = client
        self.names = {name: f"{name}-{uuid4()}" for name in TABLES}
        for name, keys in TABLES.items():
            create_table(client, self.names[name], *keys)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**given: Any) -> Any:
            answer = getattr(self._client, name)(**self._renamed(given))
            back = {real: mine for mine, real in self.names.items()}
            for part in ("Responses", "UnprocessedKeys"):
                if part in answer:
                    answer[part] = {back[table]: found for table, found in answer[part].items()}
            return answer

        return call

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self.names.get(name, name): self.names[inner]
                if name == "TableName"
                else self._renamed(inner)
                for name, inner in value.items()
            }
        return [self._renamed(inner) for inner in value] if isinstance(value, list) else value


def core(sk: str, **attributes: Any) -> dict[str, Any]:
    """An item of the core table."""
    return {"PK": {"S": "pk"}, "SK": {"S": sk}, **attributes}
