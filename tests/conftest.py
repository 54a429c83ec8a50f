"""Real servers for the contract and integration tests, started when a test first asks for one."""

from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from local.dynamodb_local import DynamoDbLocal
from local.opensearch import OpenSearchServer
from local.typesense_server import NotHere, TypesenseServer
from sync.log import logger

# How fast a busy machine is says nothing about the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")

# Fixtures that each worker starts for itself.
SERVERS = ("stack", "opensearch", "dynamodb_local", "typesense")
LONG = (
    *("stack", "opensearch"),
    "tests/properties/test_attributes.py",
    "tests/integ/test_outage.py",
    "tests/integ/test_package.py",
)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say what `--dist loadgroup` keeps on one worker: a file, or all files that share a server.

    What takes long comes first, so that no core is left alone with it in the end.
    """
    used: dict[str, set[str]] = defaultdict(set)
    for item in items:
        used[item.location[0]] |= fixtures(item)
    places = {name: place for place, name in enumerate(LONG)}
    found = []
    for item in items:
        file = item.location[0]
        group = next((server for server in SERVERS if server in used[file]), file)
        item.add_marker(pytest.mark.xdist_group(group))
        found.append((places.get(group, len(LONG)), item))
    items[:] = [item for _, item in sorted(found, key=lambda pair: pair[0])]


def fixtures(item: pytest.Item) -> set[str]:
    """The fixtures that *item* asks for; a contract test's subject asks for that of its name."""
    if not isinstance(item, pytest.Function):
        return set()
    subject = item.callspec.params.get("subject") if hasattr(item, "callspec") else None
    return {*item.fixturenames, str(subject)}


@pytest.fixture(autouse=True)
def _same_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a service sets when it is made is gone after the test."""
    for name in ("propagate", "level", "handlers"):
        value = getattr(logger, name)
        monkeypatch.setattr(logger, name, list(value) if name == "handlers" else value)


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


@pytest.fixture(scope="session")
def typesense_server() -> Iterator[TypesenseServer]:
    """A running Typesense, shared by the session. Skips, and says why, where none runs."""
    server = TypesenseServer()
    try:
        with server:
            yield server
    except NotHere as why:
        pytest.skip(str(why))
