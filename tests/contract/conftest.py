"""The sink that a contract test is about."""

from collections.abc import Iterator

import pytest
from typesense import Client

from local.servers.opensearch import OpenSearchServer
from local.servers.typesense import TypesenseServer
from tests.contract.sinks import SINKS, Subject
from tests.fault_proxy import FaultProxy
from tests.servers import emptied


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
def typesense(typesense_server: TypesenseServer) -> TypesenseServer:
    """A running, empty Typesense. A test that stops it needn't start it again."""
    return emptied(typesense_server)


@pytest.fixture
def client(typesense: TypesenseServer) -> Iterator[Client]:
    """The official client, with the key to everything."""
    with typesense.client() as made:
        yield made
