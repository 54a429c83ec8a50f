"""Adds a table that exists to a stage file, and takes it out again."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from sync.aws import tables
from sync.aws.clients import Clients, failures
from sync.errors import ConfigError, Unavailable
from sync.runtime.environment import ROLE
from sync.stages.checks import Finding, of_stream
from sync.stages.files import parse
from sync.stages.schema import Stage
from sync.stages.template import template

_NO_LETTERS: Final = re.compile(r"[^a-z0-9]+")


def role_of(table: str) -> str:
    """The role that *table* gets if nobody names one: its name in snake case."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", table).lower()
    role = _NO_LETTERS.sub("_", words).strip("_")[:32].rstrip("_")
    return role if re.fullmatch(ROLE, role) else f"table_{role}"[:32].rstrip("_")


def attach(
    clients: Clients,
    path: Path,
    stage: str,
    table: str,
    role: str,
    domain: str | None,
    *,
    renamed: bool = False,
) -> tuple[Stage, list[Finding]]:
    """Add *table* to the file at *path* as *role*, and the OpenSearch domain *domain* if given.

    *renamed*: it takes the place of the table that has the role, whose keys are the same. Makes the
    file if there is none. Changes nothing else on AWS or in the file. Returns what the file says
    then, and what was found of the table. Raises ConfigError if the stage could not read the table,
    or if the file would not be right; Retry.
    """
    found = tables.describe(clients, table)
    if found is None:
        raise ConfigError(f"there is no table {table} in this account and region")
    findings = list(of_stream(clients, f"tables.{role}", found, stage))
    if faults := [f"{one.said}: {one.advice}" for one in findings if one.level == "fault"]:
        raise ConfigError("; ".join(faults))
    given = _given(path)
    known = given.setdefault("tables", CommentedMap())
    if renamed:
        _check_keys(path, role, known, found)
        known[role]["stream"] = found.stream
    elif role in known:
        raise ConfigError(
            f"{path}: tables.{role} is there already; choose another --role, or --renamed if its "
            "table has another name now"
        )
    else:
        known[role] = {"keys": dict(found.keys), "stream": found.stream}
    if domain is not None:
        given["opensearch"] = {"existing": _existing(clients, domain)}
    return _written(path, given), findings


def _check_keys(path: Path, role: str, known: Mapping[str, Any], found: tables.Table) -> None:
    """Raises ConfigError unless *found* can take the place of the table that has *role*."""
    entry = known.get(role)
    if entry is None or "stream" not in entry:
        raise ConfigError(
            f"{path}: there is no table with the role {role} that the stack reads only"
        )
    if list(entry["keys"].items()) != list(found.keys.items()):
        was, now = (
            ", ".join(f"{n} {t}" for n, t in k.items()) for k in (entry["keys"], found.keys)
        )
        raise ConfigError(
            f"{path}: tables.{role} has the keys {was}, and {found.name} has {now}: its documents "
            "would have other ids; attach it with another --role"
        )


def detach(path: Path, role: str) -> Stage:
    """Take the table *role* out of the file at *path*. Raises ConfigError."""
    given = _given(path)
    if role not in given.get("tables", {}):
        there = ", ".join(given.get("tables", {})) or "none"
        raise ConfigError(f"{path}: there is no table with the role {role}; there are: {there}")
    del given["tables"][role]
    return _written(path, given)


def _existing(clients: Clients, domain: str) -> dict[str, str]:
    with failures(f"describing the domain {domain}"):
        told = clients("opensearch").describe_domain(DomainName=domain)["DomainStatus"]
    endpoint = told.get("Endpoint") or next(iter(told.get("Endpoints", {}).values()), None)
    if endpoint is None:
        raise Unavailable(f"the domain {domain} has no endpoint yet")
    # AWS speaks https; an emulator speaks what it is itself reached by.
    scheme = urlsplit(str(clients("opensearch").meta.endpoint_url)).scheme
    return {"endpoint": f"{scheme}://{endpoint}", "arn": told["ARN"]}


def _given(path: Path) -> CommentedMap:
    """What the file says, with its comments; nothing, if there is none."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return CommentedMap()
    parse(text, str(path))
    given: CommentedMap = YAML().load(text)
    return given


def _written(path: Path, given: Mapping[str, Any]) -> Stage:
    """Write *given* if it is right. Raises ConfigError."""
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 200  # ARNs stay whole
    yaml.dump(given, text)
    stage = parse(text.getvalue(), str(path))
    template(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue())
    return stage
