"""Tables, the search domain, the secret and the payloads."""

import json
from dataclasses import fields
from typing import Any

from sync.deadletters.row import Row
from sync.deadletters.table import INDEX
from tests.integ.template.reading import (
    Planted,
    Template,
    listed,
    of_type,
    properties,
    resolved,
    shown,
)


def kept(resource: dict[str, Any]) -> bool:
    """It outlives the stack, but not a first deployment that fails: that has to be tried again."""
    policies = resource["DeletionPolicy"], resource["UpdateReplacePolicy"]
    return policies == ("RetainExceptOnCreate", "Retain")


def the_domain_is_open_to_nobody(template: Template) -> None:
    (domain,) = of_type(template, "OpenSearchService::Domain").values()
    for statement in domain["Properties"].get("AccessPolicies", {}).get("Statement", []):
        assert statement["Effect"] == "Deny" or '"*"' not in json.dumps(statement["Principal"])
    assert domain["Properties"]["DomainEndpointOptions"] == {
        "EnforceHTTPS": True,
        "TLSSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10",
    }
    assert domain["Properties"]["EncryptionAtRestOptions"] == {"Enabled": True}
    assert domain["Properties"]["NodeToNodeEncryptionOptions"] == {"Enabled": True}
    assert domain["UpdatePolicy"] == {"EnableVersionUpgrade": True}


def the_key_of_typesense_is_a_secret_that_the_template_does_not_know(template: Template) -> None:
    secret = template["Resources"]["TypesenseApiKey"]
    assert kept(secret)
    # No value: one of CloudFormation's could not be told from a key, and would be CloudFormation's.
    assert set(secret["Properties"]) == {"Name", "Description"}


def dead_letters_are_rows_that_leave_once_they_are_resolved(template: Template) -> None:
    table = properties(template, "DeadLetterTable")
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    (index,) = table["GlobalSecondaryIndexes"]
    projected = {"id", "status", "first_at", *index["Projection"]["NonKeyAttributes"]}
    unlisted = {"body", "payload", "trace", "letter", "wrote", "expires_at"}
    assert (index["IndexName"], projected) == (INDEX, {f.name for f in fields(Row)} - unlisted)
    assert len(index["Projection"]["NonKeyAttributes"]) <= 20  # DynamoDB's limit
    assert set(properties(template, "StateTable")) == {
        "TableName",
        "BillingMode",
        "AttributeDefinitions",
        "KeySchema",
    }


def tables_outlive_the_stack_and_can_be_rewound(template: Template) -> None:
    tables = of_type(template, "DynamoDB::Table")
    assert set(tables) == {
        "CoreTable",
        "ProductsTable",
        "ContributionsTable",
        "DeadLetterTable",
        "RunsTable",
        "StateTable",
    }
    del tables["StateTable"]  # says how sinks do now
    del tables["RunsTable"]  # a run can be started again
    for name, table in tables.items():
        assert kept(table), name
        rewind = table["Properties"]["PointInTimeRecoverySpecification"]
        assert rewind == {"PointInTimeRecoveryEnabled": True}, name


def contributions_leave_once_nothing_can_come_late(template: Template) -> None:
    table = properties(template, "ContributionsTable")
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert "StreamSpecification" not in table


def payloads_are_closed_encrypted_and_expire(template: Template) -> None:
    bucket = template["Resources"]["PayloadBucket"]
    assert kept(bucket)
    name = bucket["Properties"]["BucketName"]["Fn::Sub"]
    assert name == "stream-sync-prod-bodies-${AWS::AccountId}-${AWS::Region}"  # unique in the world
    longest = name.replace("prod", 16 * "x").replace("${AWS::AccountId}", 12 * "1")
    assert len(longest.replace("${AWS::Region}", "ap-southeast-1")) <= 63
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].items()) == {
        ("BlockPublicAcls", True),
        ("BlockPublicPolicy", True),
        ("IgnorePublicAcls", True),
        ("RestrictPublicBuckets", True),
    }
    (encryption,) = bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (rule,) = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 365)


def nothing_is_taken_without_tls(template: Template) -> None:
    """Every bucket, topic and queue denies it; tables, functions and the domain know no HTTP."""
    assert template["Conditions"]["OverTls"] == {"Fn::Equals": ["https", "https"]}
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    # A topic's policy can't name sns:*; to publish is what carries data.
    for kind, members, action in (
        ("S3::BucketPolicy", "Bucket", "s3:*"),
        ("SNS::TopicPolicy", "Topics", "sns:Publish"),
        ("SQS::QueuePolicy", "Queues", "sqs:*"),
    ):
        closed = set()
        for name, policy in of_type(template, kind).items():
            told = resolved(template, policy["Properties"])
            (of,) = listed(told[members])
            denied = [s for s in told["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
            if of == {"Ref": "ServerlessDeploymentBucket"}:  # osls writes that policy
                continue
            (statement,) = denied
            resources = {shown(resource) for resource in listed(statement.pop("Resource"))}
            assert resources <= {of["Ref"], f"{of['Ref']}.Arn", f"${{{of['Ref']}.Arn}}/*"}, name
            assert statement == {
                "Effect": "Deny",
                "Principal": "*",
                "Action": action,
                "Condition": plain,
            }, name
            closed.add(of["Ref"])
        there = set(of_type(template, kind.removesuffix("Policy")))
        assert closed == there - {"ServerlessDeploymentBucket"}, kind


PLANTED: Planted = {
    nothing_is_taken_without_tls: (
        ("TypesenseQueuePolicy", "Properties", "PolicyDocument", "Statement", 0, "Condition"),
        {},
    ),
    the_domain_is_open_to_nobody: (
        ("Search", "Properties", "AccessPolicies"),
        {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "es:ESHttp*"}]},
    ),
    the_key_of_typesense_is_a_secret_that_the_template_does_not_know: (
        ("TypesenseApiKey", "Properties", "GenerateSecretString"),
        {"PasswordLength": 32},
    ),
    dead_letters_are_rows_that_leave_once_they_are_resolved: (
        ("DeadLetterTable", "Properties", "TimeToLiveSpecification", "Enabled"),
        False,
    ),
    tables_outlive_the_stack_and_can_be_rewound: (("ProductsTable", "DeletionPolicy"), "Retain"),
    contributions_leave_once_nothing_can_come_late: (
        ("ContributionsTable", "Properties", "TimeToLiveSpecification", "AttributeName"),
        "ttl",
    ),
    payloads_are_closed_encrypted_and_expire: (
        ("PayloadBucket", "Properties", "PublicAccessBlockConfiguration", "BlockPublicPolicy"),
        False,
    ),
}
