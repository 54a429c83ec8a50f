"""The deployed service, for the tests that need all of it."""

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local import stages
from local.deploy import Deployment
from local.paths import STATE
from local.servers.typesense import TypesenseServer
from local.stack import Stack

pytest.register_assert_rewrite("tests.integ.template")  # promises say why they are broken


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A deployed stack of its own, shared by the session."""
    with Stack(say=lambda _: None, logs=STATE / "test-logs", alone=False) as running:
        yield running


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Packages a stage with osls, away from any account, and returns the template's path."""
    artifact = tmp_path_factory.mktemp("artifact") / "empty.zip"
    with zipfile.ZipFile(artifact, "w") as archive:
        archive.writestr("handler.py", "")
    env = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    env |= {"ARTIFACT": str(artifact), "AWS_CONFIG_FILE": os.devnull, "AWS_REGION": "eu-west-1"}

    def package(stage: str, content: Mapping[str, Any] | None) -> Path:
        """*content* of its file; None: of that in this checkout."""
        folder = tmp_path_factory.mktemp(stage)
        where = stages.write(folder / "stages", stage, content) if content else {}
        Deployment(stage, {**env, **where}, log=folder / "osls.log").package(folder)
        return folder / "cloudformation-template-update-stack.json"

    return package


@pytest.fixture(scope="session")
def collected(stack: Stack) -> TypesenseServer:
    """The stack's Typesense. Skips, and says why, where none runs."""
    if "typesense" in stack.left_out:
        pytest.skip(stack.left_out["typesense"])
    return stack.typesense
