"""A template's parts, and what they say."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Template = dict[str, Any]

NOTHING = {"Ref": "AWS::NoValue"}

Way = tuple[str | int, ...]
Planted = Mapping[Callable[[Template], None], tuple[Way, Any]]
"""For each promise, where a bug would be, and what it would say there."""


def of_type(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {k: r for k, r in template["Resources"].items() if r["Type"] == f"AWS::{kind}"}


def properties(template: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = template["Resources"][name]["Properties"]
    return found


def functions(template: Template) -> dict[str, dict[str, Any]]:
    return {k: r["Properties"] for k, r in of_type(template, "Lambda::Function").items()}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every statement of a role's own policies, those under a condition included."""
    for policy in role["Properties"]["Policies"]:
        for branch in policy["Fn::If"][1:] if "Fn::If" in policy else [policy]:
            yield from branch.get("PolicyDocument", {}).get("Statement", [])


def grants(template: Template, role: str) -> set[tuple[str, str]]:
    """(action, resource) pairs of a role that stand under no condition of CloudFormation.

    Those that hold for the derived rows alone have a * before their resource.
    """
    return {
        (action, "*" * ("Condition" in statement) + shown(resource))
        for policy in properties(template, role)["Policies"]
        for statement in policy.get("PolicyDocument", {}).get("Statement", [])
        for action in listed(statement["Action"])
        for resource in resources(statement)
    }


def resources(statement: dict[str, Any]) -> list[Any]:
    """The resources of a statement, as they are on AWS."""
    match statement["Resource"]:
        case {"Fn::If": ["OverTls", there, _]}:
            return listed(there)
        case resource:
            return listed(resource)


def resolved(template: Template, value: Any) -> Any:
    """*value* as CloudFormation takes it: conditions decided, and what has no value left out."""
    match value:
        case {"Fn::If": [condition, then, otherwise]}:
            return resolved(template, then if holds(template, condition) else otherwise)
        case dict():
            inner = {k: resolved(template, v) for k, v in value.items()}
            return {k: v for k, v in inner.items() if v != NOTHING}
        case list():
            return [v for v in (resolved(template, v) for v in value) if v != NOTHING]
    return value


def holds(template: Template, condition: str) -> bool:
    """Whether the condition of that name is true in this template."""
    said = template["Conditions"][condition]
    match said:
        case {"Fn::Not": [{"Fn::Equals": [one, other]}]}:
            return bool(one != other)
        case {"Fn::Equals": [one, other]}:
            return bool(one == other)
    raise AssertionError(said)


def shown(value: Any) -> str:
    """`Table.Arn` for a GetAtt, and the text of a Ref or Sub."""
    match value:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Ref": text} | {"Fn::Sub": text}:
            return str(text)
    return str(value)
