"""What serverless.yml promises, read from the CloudFormation template that osls makes of it."""

import copy
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.deploy import Deployment
from local.errors import LocalError
from tests.integ.template import delivery, keeping, roles, watching
from tests.integ.template.reading import Planted, Template, functions, of_type
from tests.integ.template.roles import NETWORK_ACTIONS

URL = {"typesenseUrl": "https://typesense.example.org"}  # what a stage has to say
VPC = {
    "subnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "securityGroupIds": "sg-0123456789abcdef0",
    "alarmEmail": "ops@example.org",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Packages a stage with osls, away from any account, and returns the template's path."""
    artifact = tmp_path_factory.mktemp("artifact") / "empty.zip"
    with zipfile.ZipFile(artifact, "w") as archive:
        archive.writestr("handler.py", "")
    env = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    env |= {"ARTIFACT": str(artifact), "AWS_CONFIG_FILE": os.devnull, "AWS_REGION": "eu-west-1"}

    def package(stage: str, params: Mapping[str, str] | None = None) -> Path:
        folder = tmp_path_factory.mktemp(stage)
        params = URL if params is None else params
        Deployment(stage, env, params=params, log=folder / "osls.log").package(folder)
        return folder / "cloudformation-template-update-stack.json"

    return package


@pytest.fixture(scope="module")
def template_path(compiled: Callable[..., Path]) -> Path:
    return compiled("dev")


@pytest.fixture(scope="module")
def template(template_path: Path) -> Template:
    loaded: Template = json.loads(template_path.read_text())
    return loaded


PLANTED: Planted = {
    **roles.PLANTED,
    **delivery.PLANTED,
    **keeping.PLANTED,
    **watching.PLANTED,
}


@pytest.mark.parametrize("promise", PLANTED, ids=lambda promise: promise.__name__)
def test_the_template_keeps(promise: Callable[[Template], None], template: Template) -> None:
    """What serverless.yml promises stands in the template that AWS is given."""
    promise(template)


@pytest.mark.parametrize("promise", PLANTED, ids=lambda promise: promise.__name__)
def test_a_planted_bug_breaks(promise: Callable[[Template], None], template: Template) -> None:
    """Each promise is of a kind that can be broken, and the breach is seen."""
    (*way, last), bug = PLANTED[promise]
    broken = copy.deepcopy(template)
    place = broken["Resources"]
    for step in way:
        place = place[step]
    place[last] = bug
    with pytest.raises(AssertionError):
        promise(broken)


# ── Variants ──────────────────────────────────────────────────────────────────────────────────────


def leaves(value: Any, way: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar of a JSON value, with the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{way}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{way}.{index}")
    else:
        yield way, value


def test_the_local_stage_differs_by_its_parameters_alone(
    compiled: Callable[..., Path], template: Template
) -> None:
    """What runs on one machine is what is deployed to AWS, save what a machine can't offer."""
    text = compiled("local", {}).read_text().replace("stream-sync-local", "stream-sync-dev")
    here, there = dict(leaves(json.loads(text))), dict(leaves(template))
    # On AWS sns:Publish is what PublishBatch asks for, and sqs:SendMessage SendMessageBatch.
    for role, statement, action in (
        ("Stream", 3, "sns:PublishBatch"),
        ("Stream", 5, "sqs:SendMessageBatch"),
        ("Resync", 2, "sqs:SendMessageBatch"),
        ("Resync", 5, "sns:PublishBatch"),
        ("Typesense", 2, "sqs:SendMessageBatch"),
        ("Typesense", 5, "sns:PublishBatch"),
        ("Admin", 7, "sqs:SendMessageBatch"),
    ):
        policy = f"Resources.{role}Role.Properties.Policies.0.PolicyDocument"
        assert here.pop(f"{policy}.Statement.{statement}.Action.1") == action
    assert here.keys() == there.keys()
    different = {way.removeprefix("Resources.") for way in here if here[way] != there[way]}
    different = {way for way in different if not way.endswith(".S3Key")}  # holds the time
    settings = (
        "STAGE",
        "LOG_LEVEL",
        "OPENSEARCH_ENDPOINT.Fn::Sub",
        "OPENSEARCH_AUTH",
        "OPENSEARCH_TIMEOUT_S",
        "TYPESENSE_URL",
        "TYPESENSE_TIMEOUT_S",
    )
    assert different == {
        *(
            f"{function}LambdaFunction.Properties.Environment.Variables.{setting}"
            for function in ("Stream", "Resync", "Typesense", "Deadletters", "Admin")
            for setting in settings
        ),
        *(
            f"StreamEventSourceMappingDynamodb{table}Table.Properties.Enabled"
            for table in ("Core", "Products")
        ),
        *(
            f"{resource}.{policy}"
            for resource in (
                "CoreTable",
                "ProductsTable",
                "ContributionsTable",
                "DeadLetterTable",
                "TypesenseApiKey",
                "PayloadBucket",
            )
            for policy in ("DeletionPolicy", "UpdateReplacePolicy")
        ),
        "Outputs.OpenSearchEndpoint.Value.Fn::Sub",
        "Conditions.OverTls.Fn::Equals.0",
    }


def test_a_stage_that_does_not_say_where_typesense_is_is_refused_by_that_name(
    compiled: Callable[..., Path],
) -> None:
    """At the deploy, by whoever deploys; else every function would refuse to start."""
    with pytest.raises(LocalError, match=r"custom\.typesenseUrl"):
        compiled("dev", {})


def test_permissions_for_a_network_stand_under_the_condition_of_one(template: Template) -> None:
    """Without a VPC no function may touch a network interface."""
    conditional = []
    for role in of_type(template, "IAM::Role").values():
        (choice,) = (p["Fn::If"] for p in role["Properties"]["Policies"] if "Fn::If" in p)
        condition, then, otherwise = choice
        assert (condition, otherwise) == ("InVpc", {"Ref": "AWS::NoValue"})
        conditional += [set(s["Action"]) for s in then["PolicyDocument"]["Statement"]]
    assert conditional == [NETWORK_ACTIONS] * len(functions(template))
    assert template["Conditions"]["InVpc"] == {"Fn::Not": [{"Fn::Equals": ["", ""]}]}


@pytest.mark.parametrize("params", [None, VPC], ids=["public", "vpc"])
def test_cfn_lint_finds_nothing(
    params: Mapping[str, str] | None, compiled: Callable[..., Path], template_path: Path
) -> None:
    """The template is one that CloudFormation's own schemas accept, warnings included."""
    path = compiled("dev", {**URL, **params}) if params else template_path
    accepted = {
        "W3005": "osls names a role that a function refers to once more, as DependsOn",
        "W8003": "conditions compare a parameter of osls, which is a constant by then",
    }
    if params is None:
        accepted["W1033"] = (
            "without a VPC the lists of subnets and groups, then not used, are empty"
        )
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), path, "--ignore-checks", *accepted],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (linted.stdout, linted.returncode) == ("", 0)


def test_outputs_name_what_a_user_needs(template: Template) -> None:
    """Everything that has to be found after a deploy is an output."""
    assert set(template["Outputs"]) - {"ServerlessDeploymentBucketName"} == {
        "CoreTable",
        "CoreStreamArn",
        "ProductsTable",
        "ProductsStreamArn",
        "DeadLetterTopicArn",
        "DeadLetterQueueUrl",
        "DeadLetterTable",
        "ResyncQueueUrl",
        "StateTable",
        "ContributionsTable",
        "TypesenseQueueUrl",
        "TypesenseDeadLetterQueueUrl",
        "TypesenseApiKeyArn",
        "PayloadBucket",
        "OpenSearchEndpoint",
        "AlarmTopicArn",
        "StreamFunctionArn",
        "ResyncFunctionArn",
        "TypesenseFunctionArn",
        "DeadlettersFunctionArn",
        "AdminFunctionArn",
    }
