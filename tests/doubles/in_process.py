"""An AWS account in this process: boto3's clients work, and no request leaves the process.

DynamoDB is that of the simulation, which tests/simulation/test_dynamodb.py compares with AWS's own
DynamoDB Local. The other services are moto's. Requests are made by boto3's own clients, so their
checks of parameters and their paginators take part in every test.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from botocore import xform_name
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.handlers import BUILTIN_HANDLERS
from botocore.model import OperationModel
from moto import mock_aws as moto_aws

from tests.simulation.aws import Aws, client_error
from tests.simulation.calls import WHOLE, Calls, Errors, Fault, Trouble
from tests.simulation.dynamodb import DynamoDB
from tests.simulation.table import STALE_S, Table
from tests.simulation.world import SECOND, World

T = TypeVar("T")


class AtOnce(Calls):
    """Calls without faults, made outside the world's tasks. Between two calls time passes, so that
    every read sees the last write."""

    def make(
        self,
        site: str,
        effect: Callable[[bool], T],
        errors: Errors,
        *,
        timeout_s: float = 8.0,
        possible: frozenset[Fault] = WHOLE,
        latest_s: float = float("inf"),
    ) -> T:
        world = self.world
        world.now_ns += int((STALE_S + 1) * SECOND)
        world.now = world.now_ns / SECOND
        return effect(False)


class Tables(DynamoDB):
    """The DynamoDB of one account, which threads may share."""

    def __init__(self) -> None:
        self._here = World(1)
        super().__init__(Aws(AtOnce(self._here, Trouble(over=True))), ())
        self._lock = threading.Lock()

    def answer(self, operation: str, request: Mapping[str, Any]) -> Any:
        """The answer to a request of the client's method *operation*. Raises ClientError."""
        with self._lock:
            return getattr(self, operation)(**request)

    def create_table(self, **given: Any) -> Any:
        name = given["TableName"]
        if name in self._tables:
            raise client_error("ResourceInUseException", name)
        names = _names(given)
        index, *others = given.get("GlobalSecondaryIndexes", [None])
        assert not others, "one index is all that is simulated"
        self._tables[name] = Table(
            self._here,
            name,
            names,
            index=_names(index) if index else None,  # type: ignore[arg-type] # a pair
            listed=frozenset(index["Projection"]["NonKeyAttributes"] if index else ()),
            types={
                one["AttributeName"]: one["AttributeType"]
                for one in given["AttributeDefinitions"]
                if one["AttributeName"] in names
            },
        )
        return {"TableDescription": {"TableName": name, "TableStatus": "ACTIVE"}}

    def describe_table(self, **given: Any) -> Any:
        table = self._table(given["TableName"])
        told = super().describe_table(**given)["Table"]
        definitions = [
            {"AttributeName": name, "AttributeType": table.types[name]} for name in table.names
        ]
        schema = [
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(table.names, ("HASH", "RANGE"), strict=False)
        ]
        return {"Table": {**told, "AttributeDefinitions": definitions, "KeySchema": schema}}

    def delete_table(self, **given: Any) -> Any:
        del self._tables[self._table(given["TableName"]).name]
        return {}


def _names(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(key["AttributeName"] for key in schema["KeySchema"])


_accounts: Final[list[Tables]] = []  # the innermost account is the last


@contextmanager
def mock_aws() -> Iterator[None]:
    """Make a new account, which all of boto3's clients use until the block ends."""
    with moto_aws():
        _accounts.append(Tables())
        try:
            yield
        finally:
            _accounts.pop()


def _answer(model: OperationModel, params: Mapping[str, Any], **_: Any) -> Any:
    """Answer a request to DynamoDB instead of sending it; None outside of `mock_aws`.

    botocore calls this before a client sends a request, and uses its answer as the response.
    """
    if not _accounts:
        return None
    status = 200
    try:
        answer = _accounts[-1].answer(xform_name(model.name), json.loads(params["body"]))
    except ClientError as error:
        status, answer = 400, error.response
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RetryAttempts": 0}
    response = AWSResponse(params["url"], status, HTTPHeaders(), None)
    return response, {**answer, "ResponseMetadata": metadata}


BUILTIN_HANDLERS.append(("before-call.dynamodb", _answer))
