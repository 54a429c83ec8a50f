"""The sink that a contract test is about."""

from collections.abc import Iterator

import pytest
from typesense import Client

from local.fault_proxy import FaultProxy
from local.opensearch import OpenSearchServer
from local.typesense import TypesenseServer
from tests.contract.sinks import SINKS, Subject
from tests.contract.typesense_clients import client_of


@pytest.fixture(params=SINKS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Every sink in turn, unless a test names the ones it is about."""
    with SINKS[request.param](request) as made:
        yield made


@pytest.fixture
def proxy(subject: Subject) -> FaultProxy:
    """What stands between the sink and the server."""
    assert subject.proxy
    return subject.proxy


@pytest.fixture
def index(subject: Subject, opensearch: OpenSearchServer) -> str:
    """The URL of the index behind the subject's alias, for asking the server itself."""
    return f"{opensearch.url}/{subject.target}-v1"


@pytest.fixture
def typesense() -> Iterator[TypesenseServer]:
    """A Typesense stand-in of one's own: it starts in milliseconds."""
    with TypesenseServer() as server:
        yield server


@pytest.fixture
def client(typesense: TypesenseServer) -> Iterator[Client]:
    """The official client, with the key to everything."""
    with client_of(typesense.url, typesense.api_key) as made:
        yield made
