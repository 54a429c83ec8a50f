"""Tables, the search domain, the secret and the payloads."""

import json
from dataclasses import fields

from sync.deadletters.row import Row
from sync.deadletters.table import INDEX
from tests.integ.template.reading import Planted, Template, of_type, properties


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
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert "SecretString" not in secret["Properties"]
    # What is generated has to be of the kind that a key is, or no function could start.
    assert secret["Properties"]["GenerateSecretString"] == {
        "PasswordLength": 32,
        "ExcludePunctuation": True,
    }


def dead_letters_are_rows_that_leave_once_they_are_resolved(template: Template) -> None:
    table = properties(template, "DeadLetterTable")
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    (index,) = table["GlobalSecondaryIndexes"]
    projected = {"id", "status", "first_at", *index["Projection"]["NonKeyAttributes"]}
    listed = {field.name for field in fields(Row)} - {"body", "payload", "trace", "expires_at"}
    assert (index["IndexName"], projected) == (INDEX, listed)
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
        "StateTable",
    }
    del tables["StateTable"]  # says how sinks do now
    for name, table in tables.items():
        assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain"), name
        rewind = table["Properties"]["PointInTimeRecoverySpecification"]
        assert rewind == {"PointInTimeRecoveryEnabled": True}, name


def contributions_leave_once_nothing_can_come_late(template: Template) -> None:
    table = properties(template, "ContributionsTable")
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert "StreamSpecification" not in table


def payloads_are_closed_encrypted_and_expire(template: Template) -> None:
    bucket = template["Resources"]["PayloadBucket"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")
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
    (statement,) = properties(template, "PayloadBucketPolicy")["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == (
        "Deny",
        "*",
        "s3:*",
    )
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert template["Conditions"]["OverTls"] == {"Fn::Equals": ["https", "https"]}


PLANTED: Planted = {
    the_domain_is_open_to_nobody: (
        ("Search", "Properties", "AccessPolicies"),
        {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "es:ESHttp*"}]},
    ),
    the_key_of_typesense_is_a_secret_that_the_template_does_not_know: (
        ("TypesenseApiKey", "Properties", "SecretString"),
        "xyz",
    ),
    dead_letters_are_rows_that_leave_once_they_are_resolved: (
        ("DeadLetterTable", "Properties", "TimeToLiveSpecification", "Enabled"),
        False,
    ),
    tables_outlive_the_stack_and_can_be_rewound: (("ProductsTable", "DeletionPolicy"), "Delete"),
    contributions_leave_once_nothing_can_come_late: (
        ("ContributionsTable", "Properties", "TimeToLiveSpecification", "AttributeName"),
        "ttl",
    ),
    payloads_are_closed_encrypted_and_expire: (
        ("PayloadBucket", "Properties", "PublicAccessBlockConfiguration", "BlockPublicPolicy"),
        False,
    ),
}
