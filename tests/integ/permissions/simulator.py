"""IAM's answers, by @cloud-copilot/iam-simulate, which knows conditions."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.asked import Ask
from tests.integ.permissions.lambdas import short
from tests.integ.template.policies import ACCOUNT, arn, bucket_name, policies
from tests.integ.template.reading import Template, functions, listed, properties, shown

_SCRIPT: Final = Path(__file__).with_name("simulate.mjs")

Statement = dict[str, Any]
"""As IAM has it; Action, Resource, and the values under Condition are lists."""
Role = Sequence[Statement]


def roles(template: Template) -> dict[str, Role]:
    """Each function's role, by the function's name without the stack's."""
    found: dict[str, list[Statement]] = {}
    for role, _, document in policies(template):
        assert {each["Effect"] for each in document["Statement"]} == {"Allow"}, role
        found.setdefault(role, []).extend(_plain(each) for each in document["Statement"])
    return {
        short(function["FunctionName"]): found[shown(function["Role"]).split(".")[0]]
        for function in functions(template).values()
    }


def _plain(statement: Statement) -> Statement:
    plain = {**statement, **{name: listed(statement[name]) for name in ("Action", "Resource")}}
    if "Condition" in statement:
        plain["Condition"] = {
            operator: {key: listed(values) for key, values in keys.items()}
            for operator, keys in statement["Condition"].items()
        }
    return plain


def decide(
    template: Template, roles: Mapping[str, Role], asks: Sequence[tuple[str, Ask]]
) -> list[bool | str]:
    """Whether each of *asks* is allowed, asked with the role of that name; or why IAM can't say."""
    given = {
        "account": ACCOUNT,
        "roles": roles,
        "questions": [
            [role, ask.action, _arn(template, ask.resource), ask.context] for role, ask in asks
        ],
    }
    done = subprocess.run(
        ["node", _SCRIPT], input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True
    )
    decisions: list[bool | str] = json.loads(done.stdout)
    return decisions


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
