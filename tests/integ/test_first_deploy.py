"""A first deployment that fails must leave nothing behind that blocks the next."""

import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from local import stages
from local.deploy import Deployment
from local.errors import LocalError
from local.servers.emulator import Emulator
from tests.lengths import alone

# The emulator has no metric math, so a stage that says it speaks TLS fails there, at its alarms.
FAILING = {"scheme": "https"}


def tables(emulator: Emulator) -> list[str]:
    session = boto3.Session("test", "test", region_name="us-east-1")
    client: Any = session.client("dynamodb", endpoint_url=emulator.endpoint)
    found: list[str] = client.list_tables()["TableNames"]
    return found


@pytest.mark.soak
@alone("tests of the template hold the policy")
def test_a_first_deployment_that_failed_can_be_tried_again(tmp_path: Path) -> None:
    """What is left keeps its name taken, and AWS, unlike the emulator, then refuses the next."""
    artifact = tmp_path / "empty.zip"
    with zipfile.ZipFile(artifact, "w") as archive:
        archive.writestr("handler.py", "")
    content = stages.local("http://127.0.0.1:8108", keep_data=True)
    where = stages.write(tmp_path / "stages", "local", content)
    with Emulator(log=tmp_path / "emulator.log") as emulator:

        def stage(**params: str) -> Deployment:
            env = {**emulator.environment(), **where, "ARTIFACT": str(artifact)}
            return Deployment("local", env, params=params, log=tmp_path / "deploy.log")

        with pytest.raises(LocalError, match="osls deploy failed"):
            stage(**FAILING).deploy()
        assert "stream-sync-local-core" not in tables(emulator)
        again = stage()
        assert again.deploy()["CoreTable"] == "stream-sync-local-core"
        again.remove()
        assert "stream-sync-local-core" in tables(emulator)  # what was deployed outlives its stack
