"""A table and a domain that exist: attached, mirrored, and left as they were."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from local import outside, package, paths
from local.delivery.takeover import take_over
from local.deploy import Deployment
from local.servers.emulator import Emulator
from local.servers.opensearch import OpenSearchServer
from sync.stages.files import read
from tests.integ.waiting import until

DOMAIN = "shop"
INDEX = "theirs-aircraft-types"
ITEMS: list[dict[str, Any]] = [
    {"name": {"S": "CESSNA 172"}, "created": {"N": "1"}, "engines": {"N": "1"}},
    {"name": {"S": "PIPER PA-44"}, "created": {"N": "2"}, "engines": {"N": "2.5"}},
]


class Site:
    """An account with a table and a domain, which no stack made."""

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.environment = {**emulator.environment(), "STREAM_SYNC_STAGES": str(folder)}
        self.endpoint = emulator.endpoint
        self.session = boto3.Session("test", "test", region_name="us-east-1")
        self.file = folder / "local.yml"
        outside.make(self.client("dynamodb"))
        self.client("opensearch").create_domain(DomainName=DOMAIN, EngineVersion="OpenSearch_3.1")
        self.put(ITEMS[0])

    def client(self, service: Any) -> Any:
        return self.session.client(service, endpoint_url=self.endpoint)

    def put(self, item: dict[str, Any]) -> None:
        self.client("dynamodb").put_item(TableName=outside.NAME, Item=item)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`python -m sync …`, as a person types it."""
        return subprocess.run(
            [sys.executable, "-m", "sync", *words, "--stage", "local"],
            cwd=paths.ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def as_it_is(self) -> tuple[Any, Any, Any]:
        """The table without its counts, its items, and the domain."""
        table = self.client("dynamodb").describe_table(TableName=outside.NAME)["Table"]
        kept = {k: v for k, v in table.items() if k not in ("ItemCount", "TableSizeBytes")}
        items = self.client("dynamodb").scan(TableName=outside.NAME)["Items"]
        domain = self.client("opensearch").describe_domain(DomainName=DOMAIN)["DomainStatus"]
        return kept, sorted(items, key=str), domain


@pytest.fixture
def site(opensearch: OpenSearchServer, tmp_path: Path) -> Iterator[Site]:
    with Emulator(opensearch=opensearch.url, log=tmp_path / "emulator.log") as emulator:
        yield Site(emulator, tmp_path / "stages")
    for index in requests.get(f"{opensearch.url}/{INDEX}*", timeout=30).json():
        requests.delete(f"{opensearch.url}/{index}", timeout=30).raise_for_status()


def test_what_exists_is_attached_mirrored_and_left_as_it_was(
    site: Site, opensearch: OpenSearchServer, tmp_path: Path
) -> None:
    """Items from before are mirrored as well as long as the stream has their records."""
    before = site.as_it_is()
    attached = site.run("attach", outside.NAME, "--domain", DOMAIN)
    assert attached.returncode == 0, attached.stderr
    site.file.write_text(f"{site.file.read_text()}  prefix: theirs-\n  timeout_s: 3\n")
    stage = read(site.file)
    assert (list(stage.tables), stage.typesense) == ([outside.ROLE], None)
    checked = site.run("doctor")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "nothing stands against a deployment" in checked.stdout

    env = {**site.environment, "ARTIFACT": str(package.build("host", out=tmp_path).path)}
    deployment = Deployment("local", env, log=tmp_path / "deploy.log")
    outputs = deployment.deploy()
    assert not {name for name in outputs if "Typesense" in name or "Contributions" in name}
    (made,) = deployment.invoke("admin", {"command": "mappings apply"})["targets"]
    assert (made["target"], made["result"]) == ("aircraft-types", "created")
    names = [f["FunctionName"] for f in site.client("lambda").list_functions()["Functions"]]
    assert "stream-sync-local-typesense" not in names
    with ExitStack() as delivering:
        function = "stream-sync-local-stream"
        for driver in take_over(function, site.session, endpoint_url=site.endpoint):
            delivering.enter_context(driver)
        site.put(ITEMS[1])
        until("both documents", lambda: len(documents(opensearch)) == len(ITEMS))
        found = documents(opensearch)
        again = site.run("attach", outside.NAME, "--role", "again")
        assert again.returncode == 2
        assert "tables.again: its stream is that of tables.aircraft_types, too" in again.stderr
        assert site.run("doctor").returncode == 0  # its own function is no other reader
    assert found == {
        "CESSNA%20172|1": {"name": "CESSNA 172", "created": 1, "engines": 1},
        "PIPER%20PA-44|2": {"name": "PIPER PA-44", "created": 2, "engines": 2.5},
    }
    deployment.remove()
    table, items, domain = site.as_it_is()
    assert (table, domain) == (before[0], before[2])
    assert len(items) == len(ITEMS)


def documents(opensearch: OpenSearchServer) -> dict[str, Any]:
    """All of the index, by id."""
    url = f"{opensearch.url}/{INDEX}"
    requests.post(f"{url}/_refresh", timeout=30).raise_for_status()
    hits = requests.get(f"{url}/_search?size=100", timeout=30).json()["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}
