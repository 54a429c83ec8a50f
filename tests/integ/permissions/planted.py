"""Bugs of roles, each with what is said of it."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from tests.integ.template.reading import Template

Statement = dict[str, Any]


class Planted(NamedTuple):
    """*plant* changes the statements of *role*, that of *function*."""

    function: str
    role: str
    plant: Callable[[list[Statement]], object]
    said: tuple[str, ...]


def planted(template: Template, bug: Planted) -> None:
    """Changes *template*."""
    bug.plant(
        template["Resources"][bug.role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    )


def _of(statements: list[Statement], action: str) -> Statement:
    """The first that is about *action*."""
    return next(each for each in statements if action in each["Action"])


def _table(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "Arn"]}


def _under_keys(statements: list[Statement]) -> Statement:
    return next(each for each in statements if "Condition" in each)


_KEYS: Final = "dynamodb:LeadingKeys"
_EACH: Final = "ForAllValues:StringLike"

PLANTED: Final[Mapping[str, Planted]] = {
    "an action is missing": Planted(
        "deadletters",
        "DeadLettersRole",
        lambda s: _of(s, "s3:DeleteObject")["Action"].remove("s3:DeleteObject"),
        ("denied: deadletters s3:DeleteObject bucket/aws/lambda/x",),
    ),
    "a statement is missing": Planted(
        "typesense",
        "TypesenseRole",
        lambda s: s.remove(_of(s, "secretsmanager:GetSecretValue")),
        ("denied: typesense secretsmanager:GetSecretValue secret/typesense-api-key",),
    ),
    "a resource is missing": Planted(
        "stream",
        "StreamRole",
        lambda s: _of(s, "s3:PutObject")["Resource"].pop(),
        ("denied: stream s3:PutObject bucket/aws/lambda/x",),
    ),
    "what Lambda needs is missing": Planted(
        "resync",
        "ResyncRole",
        lambda s: _of(s, "sqs:ReceiveMessage")["Action"].remove("sqs:DeleteMessage"),
        ("denied: resync sqs:DeleteMessage queue/resync",),
    ),
    "a resource is too narrow": Planted(
        "resync",
        "ResyncRole",
        lambda s: _of(s, "es:ESHttpPost").update(Resource={"Fn::Sub": "${Search.Arn}/x/_bulk"}),
        (
            "denied: resync es:ESHttpPost domain/_bulk",
            "nobody needs es:ESHttpPost on arn:aws:es:",
        ),
    ),
    "a resource is too wide": Planted(
        "resync",
        "ResyncRole",
        lambda s: _of(s, "s3:PutObject").update(Resource={"Fn::Sub": "${PayloadBucket.Arn}/*"}),
        ("allowed, but never asked: resync s3:PutObject bucket/aws/lambda/x",),
    ),
    "a statement too many": Planted(
        "typesense",
        "TypesenseRole",
        lambda s: s.append(
            {"Effect": "Allow", "Action": "dynamodb:Scan", "Resource": _table("CoreTable")}
        ),
        (
            "nobody needs dynamodb:Scan on arn:aws:dynamodb:",
            "allowed, but never asked: typesense dynamodb:Scan table/core",
        ),
    ),
    "an action too many, of which nobody thought": Planted(
        "stream",
        "StreamRole",
        lambda s: _of(s, "dynamodb:PutItem")["Action"].append("dynamodb:DeleteTable"),
        ("nobody needs dynamodb:DeleteTable on arn:aws:dynamodb:",),
    ),
    "what another statement says already": Planted(
        "admin",
        "AdminRole",
        lambda s: s.append(
            {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": _table("DeadLetterTable")}
        ),
        ("nobody needs dynamodb:GetItem on arn:aws:dynamodb:",),
    ),
    "a condition is gone": Planted(
        "stream",
        "StreamRole",
        lambda s: _under_keys(s).pop("Condition"),
        ("allowed, but never asked: stream dynamodb:PutItem table/core " + _KEYS + "=x",),
    ),
    "a condition compares letters with stars": Planted(
        "stream",
        "StreamRole",
        lambda s: _under_keys(s).update(
            Condition={"ForAllValues:StringEquals": _under_keys(s)["Condition"][_EACH]}
        ),
        ("denied: stream dynamodb:PutItem table/core " + _KEYS + "=DEFAULT_IMAGES#x",),
    ),
    "a condition asks for what nobody says": Planted(
        "resync",
        "ResyncRole",
        lambda s: _under_keys(s).update(Condition={"StringLike": {"s3:prefix": "IMAGES#*"}}),
        ("denied: resync dynamodb:PutItem table/core " + _KEYS + "=IMAGES#x",),
    ),
    "a value of a condition is missing": Planted(
        "admin",
        "AdminRole",
        lambda s: _under_keys(s)["Condition"][_EACH][_KEYS].remove("ICAO#MATCHER"),
        ("denied: admin dynamodb:DeleteItem table/core " + _KEYS + "=ICAO#MATCHER",),
    ),
    "a value of a condition too many": Planted(
        "admin",
        "AdminRole",
        lambda s: _under_keys(s)["Condition"][_EACH][_KEYS].append("FAA#*"),
        ("nobody needs FAA#* in statement",),
    ),
    "a value of a condition is too wide": Planted(
        "stream",
        "StreamRole",
        lambda s: _under_keys(s)["Condition"][_EACH][_KEYS].append("*"),
        ("allowed, but never asked: stream dynamodb:PutItem table/core " + _KEYS + "=x",),
    ),
}
