"""What linters find and we accept, each with the reason; a finding that is gone leaves here."""

from collections.abc import Mapping
from typing import Final

CFN_LINT: Final[Mapping[str, str]] = {
    "W1028": "a stage decides each condition about its parts, and one may follow from another",
    "W3005": "osls names a role that a function refers to once more, as DependsOn",
    "W8003": "conditions compare what a stage says, which is a constant by then",
}
CFN_LINT_OUTSIDE_A_VPC: Final[Mapping[str, str]] = {
    "W1033": "the lists of subnets and groups, then not used, are empty",
}

# Why, and of which resources.
CHECKOV: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "CKV_AWS_18": (
        "access logs of S3 need a bucket of their own; CloudTrail's data events tell the same for "
        "those who want it",
        ("PayloadBucket", "ServerlessDeploymentBucket"),
    ),
    "CKV_AWS_21": (
        "versions would keep bodies of dead letters that were erased; osls keeps former zips",
        ("PayloadBucket", "ServerlessDeploymentBucket"),
    ),
    "CKV_AWS_26": (
        "CloudWatch can't publish to a topic under aws/sns, and alarms carry no data",
        ("AlarmTopic",),
    ),
    "CKV_AWS_27": (
        "checkov knows keys of KMS alone; the queues are encrypted by SQS's own (SqsManagedSse)",
        (
            "DeadLetterQueue",
            "ResyncQueue",
            "RunsQueue",
            "TypesenseDeadLetterQueue",
            "TypesenseQueue",
        ),
    ),
    "CKV_AWS_28": (
        "a row says how a sink does now, and is written anew within a minute; a run can be started "
        "again",
        ("RunsTable", "StateTable"),
    ),
    "CKV_AWS_84": (
        "slow logs need a resource policy of CloudWatch Logs, of which an account has ten; the "
        "functions log what OpenSearch answers",
        ("Search",),
    ),
    "CKV_AWS_115": (
        "mappings and shards bound each function; a new account has too little to reserve",
        (
            "AdminLambdaFunction",
            "DeadlettersLambdaFunction",
            "ResyncLambdaFunction",
            "RunsLambdaFunction",
            "StreamLambdaFunction",
            "TypesenseLambdaFunction",
        ),
    ),
    "CKV_AWS_116": (
        "mappings have on-failure destinations or redrives, and admin a destination: both tell "
        "more than a DLQ, which serves asynchronous invocations alone",
        (
            "AdminLambdaFunction",
            "DeadlettersLambdaFunction",
            "ResyncLambdaFunction",
            "RunsLambdaFunction",
            "StreamLambdaFunction",
            "TypesenseLambdaFunction",
        ),
    ),
    "CKV_AWS_119": (
        "a key of one's own is for who may use it: here the roles say that; DynamoDB encrypts by "
        "keys of AWS",
        (
            "ContributionsTable",
            "CoreTable",
            "DeadLetterTable",
            "ProductsTable",
            "RunsTable",
            "StateTable",
        ),
    ),
    "CKV_AWS_149": (
        "as the tables: under aws/secretsmanager the role alone says who reads it",
        ("TypesenseApiKey",),
    ),
    "CKV_AWS_158": (
        "as the tables: CloudWatch Logs encrypts by keys of its own",
        (
            "AdminLogGroup",
            "DeadlettersLogGroup",
            "ResyncLogGroup",
            "RunsLogGroup",
            "StreamLogGroup",
            "TypesenseLogGroup",
        ),
    ),
    "CKV_AWS_173": (
        "variables hold names and addresses, no secrets; Lambda encrypts them by a key of its own",
        (
            "AdminLambdaFunction",
            "DeadlettersLambdaFunction",
            "ResyncLambdaFunction",
            "RunsLambdaFunction",
            "StreamLambdaFunction",
            "TypesenseLambdaFunction",
        ),
    ),
    "CKV_AWS_317": (
        "audit logs come with fine-grained access control, which has users and roles of its own; "
        "here IAM says who may send what to which path",
        ("Search",),
    ),
}

# Why, of which actions, and in which policies of which roles.
PARLIAMENT: Final[Mapping[str, tuple[str, frozenset[str], frozenset[str]]]] = {
    "RESOURCE_MISMATCH": (
        "IAM's reference names no resource for it, but Lambda asks whether the role may do it on "
        "the stream, when the mapping is made",
        frozenset(["dynamodb:ListStreams"]),
        frozenset(["StreamRole stream"]),
    ),
    "RESOURCE_STAR": (
        "Lambda makes a function's network interfaces, whose names nobody can know before; only "
        "in a VPC",
        frozenset(
            [
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:UnassignPrivateIpAddresses",
            ]
        ),
        frozenset(
            f"{name}Role network"
            for name in ("Admin", "DeadLetters", "Resync", "Runs", "Stream", "Typesense")
        ),
    ),
}
