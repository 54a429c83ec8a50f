"""Linters run on a template: checkov in an environment of its own, parliament on its policies."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local import paths
from local.downloads import wheels
from tests.integ.template.policies import policies
from tests.integ.template.reading import Template

_REQUIREMENTS = paths.ROOT / "requirements" / "checkov.txt"


def install_checkov() -> Path:
    """The program, installed into the cache on first use: it has near a hundred dependencies of
    its own, which pin boto3 among others. Raises LocalError."""
    return wheels.environment("checkov", _REQUIREMENTS, lambda: None) / "checkov"


def checkov(template: Path) -> set[tuple[str, str]]:
    """Which check failed, and of which resource."""
    environment = install_checkov().parent
    done = subprocess.run(
        # By its Python: the program names the folder in which the environment was made.
        [
            *(environment / "python", "-m", "checkov.main", "--framework", "cloudformation"),
            *("--output", "json", "--quiet", "--compact", "--skip-download", "--file", template),
        ],
        env={**os.environ, "LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    told = json.loads(done.stdout)
    assert told["summary"]["parsing_errors"] == 0
    assert told["summary"]["passed"] > 50  # it has looked
    return {
        (failed["check_id"], failed["resource"].rpartition(".")[2])
        for failed in told["results"]["failed_checks"]
    }


def parliament(template: Template, folder: Path) -> Iterator[tuple[str, str, set[str]]]:
    """What is wrong, in which policy of which role, and with which actions."""
    for role, name, document in policies(template):
        (folder / f"{role} {name}.json").write_text(json.dumps(document))
    done = subprocess.run(
        [
            Path(sys.executable).with_name("parliament"),
            *("--json", "--include-community-auditors", "--directory", folder),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    for line in done.stdout.splitlines():
        told = json.loads(line)
        policy = Path(told["location"]["filepath"]).stem
        yield told["issue"], policy, set(_actions(told["detail"]))


def _actions(detail: Any) -> Iterator[str]:
    for told in detail if isinstance(detail, list) else [detail]:
        yield told["action"] if isinstance(told, dict) else str(told)
