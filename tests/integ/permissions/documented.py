"""What docs/security.md says of roles, and what they allow: function, action, and on what."""

import re
from collections.abc import Iterator
from typing import Any

from tests.integ.permissions.lambdas import short
from tests.integ.template.reading import (
    Template,
    functions,
    listed,
    resources,
    shown,
    statements,
)

Grant = tuple[str, str, str]


def documented(page: str) -> set[Grant]:
    (table,) = re.findall(r"^\| functions \|.*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()]
    everybody = {name for who, *_ in rows if not who.startswith("all") for name in who.split(", ")}
    return {
        (function, action, on)
        for who, actions, where, _ in rows
        for function in (everybody if who.startswith("all") else who.split(", "))
        for action in re.findall(r"`([^`]+)`", actions)
        for on in _places(where)
    }


def _places(cell: str) -> Iterator[str]:
    """`A`, `B`; or `A` where `key`, `key`."""
    places, _, keys = cell.partition(" where ")
    under = f" where {', '.join(re.findall(r'`([^`]+)`', keys))}" if keys else ""
    yield from (place + under for place in re.findall(r"`([^`]+)`", places))


def granted(template: Template) -> set[Grant]:
    return {
        (short(function["FunctionName"]), action, _named(resource, statement))
        for function in functions(template).values()
        for statement in statements(template["Resources"][shown(function["Role"]).split(".")[0]])
        for action in listed(statement["Action"])
        for resource in resources(statement)
    }


def _named(resource: Any, statement: dict[str, Any]) -> str:
    """As in serverless.yml, with the keys of its condition."""
    name = re.sub(r"\.(Arn|Id)$", "", shown(resource))
    name = re.sub(r"^\w+LogGroup$", "LogGroup", name)
    match statement.get("Condition"):
        case None:
            return name
        case {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}:
            return f"{name} where {', '.join(listed(keys))}"
        case other:
            raise AssertionError(other)
