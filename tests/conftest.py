"""Real servers for the contract and integration tests, started when a test first asks for one."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from local.dynamodb_local import DynamoDbLocal
from local.opensearch import OpenSearchServer

# How fast a busy machine is says nothing about the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")


@pytest.fixture(scope="session")
def opensearch() -> Iterator[OpenSearchServer]:
    """A running OpenSearch, shared by the session: give its indexes names of your own.

    A test that stops it starts it again, whatever happens in between.
    """
    with OpenSearchServer() as server:
        yield server


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[DynamoDbLocal]:
    """A running DynamoDB, shared by the session: give its tables names of your own."""
    with DynamoDbLocal() as server:
        yield server
