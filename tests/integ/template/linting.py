"""Linters run on a template: checkov in an environment of its own, parliament on its policies."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local import paths, wheels
from tests.integ.template.reading import Template, listed, of_type

_REQUIREMENTS = paths.ROOT / "requirements" / "checkov.txt"
_REGION_ACCOUNT = "eu-west-1:123456789012"


def install_checkov() -> Path:
    """The program, installed into the cache on first use: it has near a hundred dependencies of
    its own, which pin boto3 among others. Raises LocalError."""
    identity = f"{sys.version}{sys.base_prefix}".encode()
    key = hashlib.sha256(_REQUIREMENTS.read_bytes() + identity).hexdigest()[:12]
    directory = paths.cache() / f"checkov-{key}"
    with paths.install(directory) as new:
        if new:
            wheels.create_environment(new)
            wheels.install(_REQUIREMENTS, "--python", new / "bin" / "python")
    return directory / "bin" / "checkov"


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
    for name, role in of_type(template, "IAM::Role").items():
        for policy in role["Properties"]["Policies"]:
            policy = policy["Fn::If"][1] if "Fn::If" in policy else policy
            document = _with_arns(template, policy["PolicyDocument"])
            (folder / f"{name} {policy['PolicyName']}.json").write_text(json.dumps(document))
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


def _with_arns(template: Template, document: dict[str, Any]) -> dict[str, Any]:
    """*document* as IAM is given it."""
    return {
        **document,
        "Statement": [
            {**s, "Resource": [_arn(template, resource) for resource in _resources(s)]}
            for s in document["Statement"]
        ],
    }


def _resources(statement: dict[str, Any]) -> list[Any]:
    resource = statement["Resource"]
    if isinstance(resource, dict) and "Fn::If" in resource:  # on AWS, and on the emulator
        resource = resource["Fn::If"][1]
    return listed(resource)


def _arn(template: Template, resource: Any) -> str:
    match resource:
        case str(text):
            return text
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{(\w+)\.Arn\}", lambda found: _of(template, found[1], "Arn"), text)
        case {"Fn::GetAtt": [name, attribute]}:
            return _of(template, name, attribute)
        case {"Ref": name}:
            return _of(template, name, "Arn")
    raise AssertionError(resource)


def _of(template: Template, name: str, attribute: str) -> str:
    resource = template["Resources"][name]
    service, _, kind = resource["Type"].removeprefix("AWS::").partition("::")
    told = resource["Properties"]
    service, path = {
        "Table": ("dynamodb", f"table/{told.get('TableName')}"),
        "Queue": ("sqs", told.get("QueueName")),
        "Topic": ("sns", told.get("TopicName")),
        "Domain": ("es", f"domain/{told.get('DomainName')}"),
        "Secret": ("secretsmanager", f"secret:{told.get('Name')}-AbCdEf"),
        "LogGroup": ("logs", f"log-group:{told.get('LogGroupName')}:*"),
        "Bucket": ("s3", "bodies"),
    }[kind]
    if kind == "Bucket":
        return f"arn:aws:s3:::{path}"
    stream = "/stream/label" if attribute == "StreamArn" else ""  # parliament takes no colon in it
    return f"arn:aws:{service}:{_REGION_ACCOUNT}:{path}{stream}"
