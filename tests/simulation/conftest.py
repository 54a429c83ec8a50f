"""The DynamoDBs that have to agree."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.doubles.in_process import mock_aws
from tests.dynamodb_local.server import DynamoDbLocal
from tests.settings import REGION
from tests.simulation.dynamodbs import Real, Simulated


@pytest.fixture(params=["simulated", "in this process", "DynamoDB Local"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of the simulated DynamoDB, by itself and behind boto3, and of AWS's own."""
    if request.param == "simulated":
        yield Simulated()
    elif request.param == "in this process":
        with mock_aws():
            session = boto3.Session("test", "test", region_name=REGION)
            yield Real(session.client("dynamodb"))
    else:
        server: DynamoDbLocal = request.getfixturevalue("dynamodb_local")
        yield Real(server.client())
