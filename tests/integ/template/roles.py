"""How what each function may do is said; tests/integ/test_roles.py has what."""

from sync import models
from sync.model.registry import Registry
from sync.sinks.counters import Counters
from sync.sinks.counters.families import family
from tests.integ.template.reading import (
    Planted,
    Template,
    functions,
    listed,
    of_type,
    resources,
    shown,
    statements,
)
from tests.settings import TABLES

# What Lambda needs in a VPC; EC2 knows no narrower resource for these (Lambda guide, VPC).
NETWORK_ACTIONS = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
# CloudWatch knows no resource for it (service authorization reference).
METRIC_ACTIONS = {"cloudwatch:GetMetricStatistics"}


def every_function_has_a_role_of_its_own(template: Template) -> None:
    roles = {name: shown(function["Role"]) for name, function in functions(template).items()}
    assert roles == {
        "StreamLambdaFunction": "StreamRole.Arn",
        "ResyncLambdaFunction": "ResyncRole.Arn",
        "TypesenseLambdaFunction": "TypesenseRole.Arn",
        "RunsLambdaFunction": "RunsRole.Arn",
        "DeadlettersLambdaFunction": "DeadLettersRole.Arn",
        "AdminLambdaFunction": "AdminRole.Arn",
    }
    assert {f"{name}.Arn" for name in of_type(template, "IAM::Role")} == set(roles.values())


def roles_name_actions_and_resources(template: Template) -> None:
    for name, role in of_type(template, "IAM::Role").items():
        assert "ManagedPolicyArns" not in role["Properties"], name
        for statement in statements(role):
            actions = set(listed(statement["Action"]))
            assert not [action for action in actions if "*" in action], (name, statement)
            if "*" in resources(statement):
                assert actions in (NETWORK_ACTIONS, METRIC_ACTIONS), (name, statement)


def no_function_writes_other_rows_of_the_application_than_derived_ones(
    template: Template,
) -> None:
    registry = Registry(models.load(), TABLES)
    counters = {family(target).partition for _, _, target in registry.feeding(Counters)}
    keys = ["IMAGES#*", "DEFAULT_IMAGES#*", *sorted(counters)]
    only = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}
    for name, role in of_type(template, "IAM::Role").items():
        for statement in statements(role):
            actions = [action.partition(":")[2] for action in listed(statement["Action"])]
            if any(action.startswith(("Put", "Update", "Delete")) for action in actions):
                tables = {shown(resource) for resource in resources(statement)}
                assert "ProductsTable.Arn" not in tables, name
                assert "CoreTable.Arn" not in tables or statement["Condition"] == only, name


PLANTED: Planted = {
    every_function_has_a_role_of_its_own: (
        ("AdminLambdaFunction", "Properties", "Role", "Fn::GetAtt", 0),
        "StreamRole",
    ),
    roles_name_actions_and_resources: (
        ("AdminRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0, "Resource"),
        "*",
    ),
    no_function_writes_other_rows_of_the_application_than_derived_ones: (
        (
            "ResyncRole",
            "Properties",
            "Policies",
            0,
            "PolicyDocument",
            "Statement",
            9,
            "Condition",
            "ForAllValues:StringLike",
            "dynamodb:LeadingKeys",
            0,
        ),
        "*",
    ),
}
