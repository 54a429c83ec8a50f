"""A template's parts, and what they say."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Template = dict[str, Any]

NOTHING = {"Ref": "AWS::NoValue"}
PARTS = ("HasSearch", "MakesSearch", "HasTypesense", "MakesTypesenseSecret", "HasDerived")
"""Conditions about the parts of a stage."""

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


def of_parts(template: Template) -> Template:
    """*template* with what its stage has, and without what it does without.

    Only the conditions about parts are decided, which a stage file fixes (sync/stages/template.py).
    """
    decided = {
        name: _decided(said) for name, said in template["Conditions"].items() if name in PARTS
    }
    both = {"TypesenseOverTls": "HasTypesense", "MakesSearchOverTls": "MakesSearch"}

    def walk(value: Any) -> Any:
        match value:
            case {"Fn::If": [condition, then, otherwise]} if condition in decided:
                return walk(then if decided[condition] else otherwise)
            case {"Fn::If": [condition, then, otherwise]}:
                return {"Fn::If": [condition, walk(then), walk(otherwise)]}
            case {"Fn::Sub": [text, {"domain": domain}]}:
                arn = walk(domain)
                named = f"${{{arn['Fn::GetAtt'][0]}.Arn}}" if isinstance(arn, dict) else arn
                return {"Fn::Sub": text.replace("${domain}", named)}
            case dict():
                return {key: walk(inner) for key, inner in value.items()}
            case list():
                return [inner for inner in map(walk, value) if inner != NOTHING]
        return value

    def kept(parts: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for name, part in parts.items():
            condition = part.get("Condition")
            if not decided.get(both.get(condition, condition), True):
                continue
            rest = {key: inner for key, inner in part.items() if key != "Condition"}
            if condition in both:
                rest["Condition"] = "OverTls"
            elif condition not in decided and condition is not None:
                rest["Condition"] = condition
            found[name] = walk(rest)
        return found

    return {
        **template,
        "Resources": kept(template["Resources"]),
        "Outputs": kept(template["Outputs"]),
    }


def _decided(said: Any) -> bool:
    match said:
        case {"Fn::Equals": [one, "yes"]}:
            return bool(one == "yes")
    raise AssertionError(said)


def shown(value: Any) -> str:
    """`Table.Arn` for a GetAtt, and the text of a Ref or Sub."""
    match value:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Ref": text} | {"Fn::Sub": text}:
            return str(text)
    return str(value)
