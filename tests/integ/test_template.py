"""What serverless.yml promises, read from the CloudFormation template that osls makes of it."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local import stages
from local.errors import LocalError
from tests.integ.stages import PROD, SUBNETS, VPC
from tests.integ.template import dashboard, delivery, keeping, roles, sizing, watching
from tests.integ.template.reading import (
    Planted,
    Template,
    functions,
    of_parts,
    of_type,
    properties,
    resolved,
)
from tests.integ.template.roles import NETWORK_ACTIONS


@pytest.fixture(scope="module")
def template_path(compiled: Callable[..., Path]) -> Path:
    return compiled("prod", PROD)


@pytest.fixture(scope="module")
def template(template_path: Path) -> Template:
    return of_parts(json.loads(template_path.read_text()))


PLANTED: Planted = {
    **roles.PLANTED,
    **delivery.PLANTED,
    **keeping.PLANTED,
    **sizing.PLANTED,
    **watching.PLANTED,
    **dashboard.PLANTED,
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
    content = stages.local("http://127.0.0.1:8108")
    text = compiled("local", content).read_text().replace("stream-sync-local", "stream-sync-prod")
    here, there = dict(leaves(of_parts(json.loads(text)))), dict(leaves(template))
    # On AWS sns:Publish is what PublishBatch asks for, and sqs:SendMessage SendMessageBatch.
    asked = {
        way for way, value in here.items() if value in ("sns:PublishBatch", "sqs:SendMessageBatch")
    }
    assert len(asked) == 11  # five roles publish, five send, one of them to two queues
    for way in asked:
        del here[way]
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
            for function in ("Stream", "Resync", "Typesense", "Runs", "Deadletters", "Admin")
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
            for policy in ("DeletionPolicy",)
        ),
        "Outputs.OpenSearchEndpoint.Value.Fn::Sub",
        "Conditions.OverTls.Fn::Equals.0",
        "Dashboard.Properties.DashboardBody.Fn::Sub.1.stage",
        "DeadLettersAlarm.Properties.Dimensions.0.Value",
        "HeldAlarm.Properties.Dimensions.0.Value",
        "OpenSearchDiffersAlarm.Properties.Dimensions.0.Value",
        "RunsWaitAlarm.Properties.Dimensions.0.Value",
        "TypesenseDiffersAlarm.Properties.Dimensions.0.Value",
        "VerifyUnreadAlarm.Properties.Dimensions.0.Value",
    }


def test_a_trial_is_one_small_node_and_small_functions(compiled: Callable[..., Path]) -> None:
    """`make deploy` without a stage costs tens of dollars a month, not hundreds."""
    trial: Template = json.loads(compiled("dev", None).read_text())
    domain = resolved(trial, properties(trial, "Search"))
    assert domain["ClusterConfig"] == {
        "InstanceType": "t3.small.search",
        "InstanceCount": 1,
        "ZoneAwarenessEnabled": False,
        "DedicatedMasterEnabled": False,
        "MultiAZWithStandbyEnabled": False,
    }
    assert domain["EBSOptions"] == {"EBSEnabled": True, "VolumeType": "gp3", "VolumeSize": 10}
    assert {function["MemorySize"] for function in functions(trial).values()} == {512}


@pytest.mark.parametrize("zones", [1, 2, 3])
def test_the_domain_stands_in_as_many_subnets_as_zones(
    zones: int, compiled: Callable[..., Path]
) -> None:
    """OpenSearch Service refuses more, and less; functions stand in all of them."""
    content = {**VPC, "opensearch": {"made": {"zones": zones, "instances": 6}}}
    placed: Template = json.loads(compiled("prod", content).read_text())
    domain = resolved(placed, properties(placed, "Search"))
    chosen = [
        joined.split(separator)[index]
        for index, joined, separator in (
            (select["Fn::Select"][0], *reversed(select["Fn::Select"][1]["Fn::Split"]))
            for select in domain["VPCOptions"]["SubnetIds"]
        )
    ]
    assert chosen == SUBNETS[:zones]
    awareness = domain["ClusterConfig"].get("ZoneAwarenessConfig", {"AvailabilityZoneCount": 1})
    assert int(awareness["AvailabilityZoneCount"]) == zones
    for function in functions(placed).values():
        assert resolved(placed, function)["VpcConfig"]["SubnetIds"] == {
            "Fn::Split": [",", ",".join(SUBNETS)]
        }


def test_cloudformation_s_limits_are_far(template: Template) -> None:
    """500 resources and a megabyte: osls puts the template into S3."""
    assert len(template["Resources"]) < 250
    assert len(json.dumps(template)) < 300_000


def test_a_fault_of_a_stage_file_is_told_with_its_line(compiled: Callable[..., Path]) -> None:
    """At the deploy, by whoever deploys; else every function would refuse to start."""
    faulty = {**PROD, "typesense": {"timeout_s": 20}}
    with pytest.raises(LocalError, match=r"prod\.yml:\d+: typesense\.url: Field required"):
        compiled("prod", faulty)


def test_a_stage_without_a_file_is_told_with_those_there_are(compiled: Callable[..., Path]) -> None:
    with pytest.raises(LocalError, match=r"nowhere\.yml: there is no such stage; .*: dev"):
        compiled("nowhere", None)


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
        "RunsQueueUrl",
        "RunsTable",
        "RunsFunctionArn",
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
