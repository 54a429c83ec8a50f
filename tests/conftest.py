"""Real servers for the contract and integration tests, started when a test first asks for one."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from xdist.scheduler import LoadScopeScheduling

from local.servers.opensearch import OpenSearchServer
from local.servers.typesense import NotHere, TypesenseServer
from sync.runtime.log import logger
from tests.dynamodb_local.server import DynamoDbLocal

# How fast a busy machine is says nothing about the code.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("here")
# Nobody looks for the smallest example by which a mutant fails (tests/mutation/measure.py).
settings.register_profile(
    "mutants", settings.get_profile("here"), phases=[Phase.explicit, Phase.generate]
)

# What takes long to start, and is started once: the files that ask for it are of one worker.
SHARED = {
    "tests/integ/test_stack.py": "stack",
    "tests/integ/test_dead_letters.py": "stack",
    "tests/integ/test_typesense.py": "stack",
    "tests/integ/test_runs.py": "stack",
    "tests/integ/test_deploy.py": "opensearch",
    "tests/integ/test_attach.py": "opensearch",
    "tests/integ/test_opensearch_server.py": "opensearch",
    "tests/contract/test_opensearch": "opensearch",
    "tests/contract/test_sinks.py": "opensearch",
    "tests/contract/test_comparing.py": "opensearch",
    "tests/contract/test_shadows.py": "opensearch",
    "tests/contract/test_verify.py": "opensearch",
    "tests/contract/test_planted_bugs.py": "opensearch",
}
SERVERS = ("stack", "opensearch")
LONG = ("stack", "opensearch", "tests/integ/test_outage.py", "tests/integ/test_package.py")


def group_of(nodeid: str) -> str:
    """What a worker runs as a whole: a file, or the files that share servers."""
    file = nodeid.split("::")[0]
    return next((group for place, group in SHARED.items() if file.startswith(place)), file)


class Groups(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """xdist's own groups, of its version 3.8, have no effect with this version of pytest."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    return Groups(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first, so that no core is left alone with it in the end.

    Fails where two groups would start the same server.
    """
    for server in SERVERS:
        users = {group_of(item.nodeid) for item in items if server in fixtures(item)}
        if len(users) > 1:
            raise pytest.UsageError(f"{server} would be started for each of {sorted(users)}")
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(group_of(item.nodeid), len(LONG)))


def fixtures(item: pytest.Item) -> set[str]:
    """The fixtures that *item* asks for; a contract test's subject asks for that of its name."""
    if not isinstance(item, pytest.Function):
        return set()
    subject = item.callspec.params.get("subject") if hasattr(item, "callspec") else None
    return {*item.fixturenames, str(subject)}


@pytest.fixture(autouse=True)
def _same_log() -> Iterator[None]:
    """What a service sets when it is made is gone after the test."""
    propagate, level, handlers = logger.propagate, logger.level, list(logger.handlers)
    yield
    logger.propagate, logger.handlers = propagate, handlers
    logger.setLevel(level)  # not the attribute: logging remembers what the level let through


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
