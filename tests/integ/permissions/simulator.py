"""IAM's answers, by @cloud-copilot/iam-simulate, which knows conditions."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.asked import Ask
from tests.integ.template.policies import ACCOUNT, arn, bucket_name, policies
from tests.integ.template.reading import Template, functions, listed, properties, shown

_SCRIPT: Final = Path(__file__).with_name("simulate.mjs")

Statement = dict[str, Any]
Role = Mapping[str, Sequence[Statement]]
"""The statements of a role's policies, by the names of those. Each has lists: Action, Resource, and
under Condition those of values."""


class Part(NamedTuple):
    """Something in a statement: an action with a resource, or a value of a condition."""

    policy: str
    statement: int
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """*by*: the statements that allow it, and what in them does. *error*: there is no answer, as
    for an action that resources of that kind don't have."""

    allowed: bool
    by: frozenset[Part]
    error: str | None = None


def roles(template: Template) -> dict[str, Role]:
    """Each function's role, by the function's name without the stack's."""
    found: dict[str, dict[str, list[Statement]]] = {}
    for role, policy, document in policies(template):
        assert {each["Effect"] for each in document["Statement"]} == {"Allow"}, role
        found.setdefault(role, {})[policy] = [_plain(each) for each in document["Statement"]]
    return {
        function["FunctionName"].rpartition("-")[2]: found[shown(function["Role"]).split(".")[0]]
        for function in functions(template).values()
    }


def _plain(statement: Statement) -> Statement:
    conditions = statement.get("Condition", {})
    return {
        "Effect": statement["Effect"],
        "Action": listed(statement["Action"]),
        "Resource": listed(statement["Resource"]),
        "Condition": {
            operator: {key: listed(values) for key, values in keys.items()}
            for operator, keys in conditions.items()
        },
    }


def parts(role: Role) -> set[Part]:
    """Every action of a statement with each of its resources, and every value of a condition."""
    found = set()
    for policy, statements in role.items():
        for n, each in enumerate(statements):
            for action in each["Action"]:
                found |= {Part(policy, n, (action, resource)) for resource in each["Resource"]}
            for keys in each["Condition"].values():
                found |= {Part(policy, n, (value,)) for values in keys.values() for value in values}
    return found


def decide(
    template: Template, roles: Mapping[str, Role], asks: Sequence[tuple[str, Ask]]
) -> list[Decision]:
    """What IAM says to each of *asks*, asked with the role of that name."""
    given = {
        "account": ACCOUNT,
        "roles": {
            name: [
                {"name": policy, "policy": {"Version": "2012-10-17", "Statement": _named(said)}}
                for policy, said in role.items()
                if said
            ]
            for name, role in roles.items()
        },
        "questions": [
            {
                "role": role,
                "action": ask.action,
                "resource": _arn(template, ask.resource),
                "context": ask.context,
            }
            for role, ask in asks
        ],
    }
    done = subprocess.run(
        ["node", _SCRIPT], input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True
    )
    return [_read(each) for each in json.loads(done.stdout)]


def _named(statements: Sequence[Statement]) -> list[Statement]:
    """Named by their places, as decisions say them."""
    return [
        {**{k: v for k, v in each.items() if v}, "Sid": str(n)} for n, each in enumerate(statements)
    ]


def _read(answer: Any) -> Decision:
    if "error" in answer:
        return Decision(allowed=False, by=frozenset(), error=answer["error"])
    by = set()
    for each in answer["by"]:
        place = each["policy"], int(each["statement"])
        pairs = [(a, resource) for a in each["actions"] for resource in each["resources"]]
        by |= {Part(*place, said) for said in (*pairs, *((v,) for v in each["values"]))}
    return Decision(answer["allowed"], frozenset(by))


def _arn(template: Template, resource: str) -> str:
    """The ARN of what an `Ask` names; `bucket-elsewhere` is another one than the service's."""
    prefix = properties(template, "CoreTable")["TableName"].removesuffix("-core")
    kind, _, rest = resource.partition("/")
    kind, other, _ = kind.partition("-elsewhere")
    match kind:
        case "table":
            return arn("dynamodb", f"table/{prefix}-{rest}")
        case "stream":
            return arn("dynamodb", f"table/{prefix}-{rest}/stream/label")
        case "queue":
            return arn("sqs", f"{prefix}-{rest}")
        case "topic":
            return arn("sns", f"{prefix}-{rest}")
        case "secret":
            return arn("secretsmanager", f"secret:{prefix}-{rest}-AbCdEf")
        case "domain":
            return arn("es", f"domain/{prefix}{other}/{rest}")
        case "log":
            return arn("logs", f"log-group:/aws/lambda/{prefix}-{rest}:log-stream:x")
        case "bucket":
            return f"arn:aws:s3:::{bucket_name(template)}{other}{'/' * bool(rest)}{rest}"
        case "network-interface" | "subnet" | "security-group":
            return arn("ec2", f"{kind}/x")
        case "*":
            return "*"
    raise AssertionError(resource)
