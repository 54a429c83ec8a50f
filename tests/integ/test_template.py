"""What serverless.yml promises, read from the CloudFormation template that osls makes of it.

Each promise is a function that asserts it of a template; each also has a bug planted for it, to
show that the assertion would see one.
"""

import copy
import inspect
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from local.deploy import Deployment
from local.errors import LocalError
from sync.deadletter_table import INDEX, Row
from sync.sinks.counters import Counters

Template = dict[str, Any]

URL = {"typesenseUrl": "https://typesense.example.org"}  # what a stage has to say
VPC = {
    "subnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "securityGroupIds": "sg-0123456789abcdef0",
    "alarmEmail": "ops@example.org",
}
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


# ── Reading a template ────────────────────────────────────────────────────────────────────────────


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


def shown(value: Any) -> str:
    """`Table.Arn` for a GetAtt, and the text of a Ref or Sub."""
    match value:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Ref": text} | {"Fn::Sub": text}:
            return str(text)
    return str(value)


# What the counters and the default image sink do.
DERIVING = {
    ("dynamodb:BatchGetItem", "ContributionsTable.Arn"),
    ("dynamodb:PutItem", "ContributionsTable.Arn"),
    *(
        (f"dynamodb:{action}Item", "*CoreTable.Arn")
        for action in ("BatchGet", "ConditionCheck", "Delete", "Get", "Put", "Update")
    ),
    ("dynamodb:Query", "*CoreTable.Arn"),
}


# ── The promises ──────────────────────────────────────────────────────────────────────────────────


def every_function_has_a_role_of_its_own(template: Template) -> None:
    roles = {name: shown(function["Role"]) for name, function in functions(template).items()}
    assert roles == {
        "StreamLambdaFunction": "StreamRole.Arn",
        "ResyncLambdaFunction": "ResyncRole.Arn",
        "TypesenseLambdaFunction": "TypesenseRole.Arn",
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


def the_stream_role_may_do_what_the_stream_function_does(template: Template) -> None:
    # sns:Publish is Lambda's too: it sends on-failure documents with the function's role. The
    # emulator does not ask for that permission, so that this is the one place where it is checked.
    stream_actions = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    assert grants(template, "StreamRole") == {
        ("logs:CreateLogStream", "StreamLogGroup.Arn"),
        ("logs:PutLogEvents", "StreamLogGroup.Arn"),
        *((f"dynamodb:{action}", "CoreTable.StreamArn") for action in stream_actions),
        *((f"dynamodb:{action}", "ProductsTable.StreamArn") for action in stream_actions),
        ("es:ESHttpPost", "${Search.Arn}/_bulk"),
        ("sns:Publish", "DeadLetterTopic"),
        ("s3:PutObject", "${PayloadBucket.Arn}/*"),
        ("sqs:SendMessage", "ResyncQueue.Arn"),
        ("sqs:SendMessage", "TypesenseQueue.Arn"),
        ("dynamodb:UpdateItem", "StateTable.Arn"),
        *DERIVING,
    }


def the_resync_role_may_do_what_the_resync_function_does(template: Template) -> None:
    queue_actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "SendMessage")
    assert grants(template, "ResyncRole") == {
        ("logs:CreateLogStream", "ResyncLogGroup.Arn"),
        ("logs:PutLogEvents", "ResyncLogGroup.Arn"),
        *((f"sqs:{action}", "ResyncQueue.Arn") for action in queue_actions),
        ("dynamodb:BatchGetItem", "CoreTable.Arn"),
        ("dynamodb:BatchGetItem", "ProductsTable.Arn"),
        ("es:ESHttpPost", "${Search.Arn}/_bulk"),
        ("sqs:SendMessage", "TypesenseQueue.Arn"),
        ("sns:Publish", "DeadLetterTopic"),
        ("s3:PutObject", "${PayloadBucket.Arn}/*"),
        ("dynamodb:UpdateItem", "StateTable.Arn"),
        *DERIVING,
    }


def the_typesense_role_may_do_what_the_typesense_function_does(template: Template) -> None:
    queue_actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    assert grants(template, "TypesenseRole") == {
        ("logs:CreateLogStream", "TypesenseLogGroup.Arn"),
        ("logs:PutLogEvents", "TypesenseLogGroup.Arn"),
        *((f"sqs:{action}", "TypesenseQueue.Arn") for action in queue_actions),
        ("sqs:SendMessage", "ResyncQueue.Arn"),
        ("secretsmanager:GetSecretValue", "TypesenseApiKey.Id"),
        ("dynamodb:BatchGetItem", "CoreTable.Arn"),
        ("sns:Publish", "DeadLetterTopic"),
        ("s3:PutObject", "${PayloadBucket.Arn}/*"),
        ("dynamodb:UpdateItem", "StateTable.Arn"),
    }


def no_function_writes_other_rows_of_the_application_than_derived_ones(
    template: Template,
) -> None:
    only = {
        "ForAllValues:StringLike": {
            "dynamodb:LeadingKeys": ["IMAGES#*", "DEFAULT_IMAGES#*", "ICAO#MATCHER"]
        }
    }
    for name, role in of_type(template, "IAM::Role").items():
        for statement in statements(role):
            actions = [action.partition(":")[2] for action in listed(statement["Action"])]
            if any(action.startswith(("Put", "Update", "Delete")) for action in actions):
                tables = {shown(resource) for resource in resources(statement)}
                assert "ProductsTable.Arn" not in tables, name
                assert "CoreTable.Arn" not in tables or statement["Condition"] == only, name


def the_consumer_role_may_do_what_the_consumer_does(template: Template) -> None:
    queue_actions = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    stream_actions = ("DescribeStream", "GetRecords", "GetShardIterator")
    assert grants(template, "DeadLettersRole") == {
        ("logs:CreateLogStream", "DeadlettersLogGroup.Arn"),
        ("logs:PutLogEvents", "DeadlettersLogGroup.Arn"),
        *((f"sqs:{action}", "DeadLetterQueue.Arn") for action in queue_actions),
        *((f"sqs:{action}", "TypesenseDeadLetterQueue.Arn") for action in queue_actions),
        *((f"dynamodb:{action}", "CoreTable.StreamArn") for action in stream_actions),
        *((f"dynamodb:{action}", "ProductsTable.StreamArn") for action in stream_actions),
        ("dynamodb:BatchGetItem", "DeadLetterTable.Arn"),
        ("dynamodb:UpdateItem", "DeadLetterTable.Arn"),
        ("s3:GetObject", "${PayloadBucket.Arn}/*"),
        ("s3:PutObject", "${PayloadBucket.Arn}/*"),
    }


def the_admin_role_may_do_what_the_admin_function_does(template: Template) -> None:
    assert grants(template, "AdminRole") == {
        ("logs:CreateLogStream", "AdminLogGroup.Arn"),
        ("logs:PutLogEvents", "AdminLogGroup.Arn"),
        *((f"es:ESHttp{method}", "${Search.Arn}/*") for method in ("Get", "Head", "Post", "Put")),
        *(
            (f"dynamodb:{action}", f"{table}.Arn")
            for action in ("BatchGetItem", "Scan")
            for table in ("CoreTable", "ProductsTable")
        ),
        ("dynamodb:GetItem", "DeadLetterTable.Arn"),
        ("dynamodb:UpdateItem", "DeadLetterTable.Arn"),
        ("dynamodb:Query", "${DeadLetterTable.Arn}/index/by-status"),
        ("dynamodb:Scan", "StateTable.Arn"),
        ("dynamodb:UpdateItem", "StateTable.Arn"),
        ("s3:GetObject", "${PayloadBucket.Arn}/*"),
        ("dynamodb:Query", "CoreTable.Arn"),
        ("dynamodb:Scan", "ContributionsTable.Arn"),
        *DERIVING,
        ("sqs:SendMessage", "TypesenseQueue.Arn"),
        ("secretsmanager:GetSecretValue", "TypesenseApiKey.Id"),
        *(
            ("sqs:GetQueueAttributes", f"{queue}.Arn")
            for queue in (
                "ResyncQueue",
                "DeadLetterQueue",
                "TypesenseQueue",
                "TypesenseDeadLetterQueue",
            )
        ),
        ("sns:Publish", "DeadLetterTopic"),
        ("cloudwatch:GetMetricStatistics", "*"),
    }


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


def both_streams_are_delivered_from_their_start_and_without_loss(template: Template) -> None:
    mappings = {
        shown(mapping["Properties"]["EventSourceArn"]): mapping["Properties"]
        for mapping in of_type(template, "Lambda::EventSourceMapping").values()
        if "StartingPosition" in mapping["Properties"]
    }
    assert set(mappings) == {"CoreTable.StreamArn", "ProductsTable.StreamArn"}
    for source, mapping in mappings.items():
        assert mapping == {
            "EventSourceArn": mapping["EventSourceArn"],
            "FunctionName": {"Fn::GetAtt": ["StreamLambdaFunction", "Arn"]},
            "Enabled": True,
            "BatchSize": 100,
            "ParallelizationFactor": 1,
            "StartingPosition": "TRIM_HORIZON",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 3,
            "DestinationConfig": {"OnFailure": {"Destination": {"Ref": "DeadLetterTopic"}}},
        }, source


def queues_are_consumed_message_by_message(template: Template) -> None:
    mappings = {
        shown(mapping["Properties"]["EventSourceArn"]): mapping["Properties"]
        for mapping in of_type(template, "Lambda::EventSourceMapping").values()
        if "StartingPosition" not in mapping["Properties"]
    }
    consumers = {
        "ResyncQueue.Arn": ("ResyncLambdaFunction", 5),
        "TypesenseQueue.Arn": ("TypesenseLambdaFunction", 2),
        "DeadLetterQueue.Arn": ("DeadlettersLambdaFunction", 2),
        "TypesenseDeadLetterQueue.Arn": ("DeadlettersLambdaFunction", 2),
    }
    assert set(mappings) == set(consumers)
    for source, mapping in mappings.items():
        function, at_once = consumers[source]
        assert mapping["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}
        assert mapping["BatchSize"] == 10, source
        if properties(template, source.removesuffix(".Arn")).get("FifoQueue"):
            assert "MaximumBatchingWindowInSeconds" not in mapping, source  # Lambda refuses it
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], source
        assert mapping["ScalingConfig"] == {"MaximumConcurrency": at_once}, source
        # Less, and a message comes again while it is being handled (Lambda guide, with-sqs).
        queue = properties(template, source.removesuffix(".Arn"))
        assert queue["VisibilityTimeout"] == 6 * functions(template)[function]["Timeout"], source


def parked_keys_are_tried_for_as_long_as_sqs_can_and_then_are_dead_letters(
    template: Template,
) -> None:
    queue = properties(template, "ResyncQueue")
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "maxReceiveCount": 5,
    }
    assert queue["SqsManagedSseEnabled"] is True
    # It sends to the queue that invokes it, which Lambda else takes for a runaway loop.
    assert functions(template)["ResyncLambdaFunction"]["RecursiveLoop"] == "Allow"


def actions_stay_in_order_until_they_are_written_or_dead_letters(template: Template) -> None:
    queue, dead = (properties(template, f"Typesense{name}Queue") for name in ("", "DeadLetter"))
    for each in (queue, dead):  # a FIFO queue redrives to a FIFO queue alone (SQS guide)
        assert each["FifoQueue"] is True
        assert each["QueueName"].endswith(".fifo")
        assert each["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert each["SqsManagedSseEnabled"] is True
    assert queue["ContentBasedDeduplication"] is False
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["TypesenseDeadLetterQueue", "Arn"]},
        "maxReceiveCount": 5,
    }
    # What it parks comes back to it by way of the resync function: no runaway loop either.
    assert functions(template)["TypesenseLambdaFunction"]["RecursiveLoop"] == "Allow"


def the_key_of_typesense_is_a_secret_that_the_template_does_not_know(template: Template) -> None:
    secret = template["Resources"]["TypesenseApiKey"]
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert "SecretString" not in secret["Properties"]
    # What is generated has to be of the kind that a key is, or no function could start.
    assert secret["Properties"]["GenerateSecretString"] == {
        "PasswordLength": 32,
        "ExcludePunctuation": True,
    }


def a_request_is_over_before_its_key_is_tried_again(template: Template) -> None:
    for name, function in functions(template).items():
        settings = function["Environment"]["Variables"]
        for sink in ("OPENSEARCH", "TYPESENSE"):
            assert int(settings[f"{sink}_TIMEOUT_S"]) < int(settings["PARK_DELAY_S"]), name


def what_fails_when_invoked_asynchronously_is_a_dead_letter(template: Template) -> None:
    (config,) = of_type(template, "Lambda::EventInvokeConfig").values()
    assert config["Properties"]["FunctionName"] == {"Ref": "AdminLambdaFunction"}
    assert config["Properties"]["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Ref": "DeadLetterTopic"}}
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


def streams_carry_new_and_old_images(template: Template) -> None:
    for name in ("CoreTable", "ProductsTable"):
        view = properties(template, name)["StreamSpecification"]
        assert view == {"StreamViewType": "NEW_AND_OLD_IMAGES"}, name


def dead_letters_reach_their_queue_from_their_topic_alone(template: Template) -> None:
    (policy,) = of_type(template, "SQS::QueuePolicy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "Condition": {"ArnEquals": {"aws:SourceArn": {"Ref": "DeadLetterTopic"}}},
    }
    subscription = properties(template, "DeadLetterSubscription")
    assert subscription["TopicArn"] == {"Ref": "DeadLetterTopic"}
    assert subscription["Endpoint"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}
    assert subscription["RawMessageDelivery"] is True


def dead_letters_are_encrypted_and_kept_as_long_as_sqs_can(template: Template) -> None:
    assert properties(template, "DeadLetterTopic")["KmsMasterKeyId"] == "alias/aws/sns"
    queue = properties(template, "DeadLetterQueue")
    # SNS may not use aws/sqs, so a queue under that key would get nothing.
    assert (queue["SqsManagedSseEnabled"], queue.get("KmsMasterKeyId")) == (True, None)
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


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


def logs_are_kept_thirty_days(template: Template) -> None:
    kept = {
        group["Properties"]["LogGroupName"]: group["Properties"]["RetentionInDays"]
        for group in of_type(template, "Logs::LogGroup").values()
    }
    assert kept == {f"/aws/lambda/{f['FunctionName']}": 30 for f in functions(template).values()}


def trouble_raises_an_alarm(template: Template) -> None:
    alarms = set()
    for name, alarm in of_type(template, "CloudWatch::Alarm").items():
        told = alarm["Properties"]
        assert told["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert told["ComparisonOperator"] == "GreaterThanThreshold", name
        subjects = [shown(dimension["Value"]) for dimension in told["Dimensions"]]
        (subject,) = subjects or [told["Namespace"]]
        alarms.add((told["MetricName"], subject, told["Statistic"], int(told["Threshold"])))
    waits, late = "ApproximateNumberOfMessagesDelayed", "ApproximateAgeOfOldestMessage"
    assert alarms == {
        ("IteratorAge", "StreamLambdaFunction", "Maximum", 12 * 3600 * 1000),
        ("Invocations", "DeadlettersLambdaFunction", "Sum", 0),
        (late, "DeadLetterQueue.QueueName", "Maximum", 900),
        (late, "TypesenseQueue.QueueName", "Maximum", 900),
        (late, "TypesenseDeadLetterQueue.QueueName", "Maximum", 900),
        ("CounterDrift", "stream-sync-dev", "Sum", 0),
        (waits, "ResyncQueue.QueueName", "Maximum", 0),
        (waits, "ResyncQueue.QueueName", "Maximum", 100),
        (late, "ResyncQueue.QueueName", "Maximum", 1800),
        *(("Errors", function, "Sum", 0) for function in functions(template)),
    }
    long = properties(template, "ParkedLongAlarm")
    assert (long["Period"], long["EvaluationPeriods"]) == (300, 6)  # stale writes park for a while


def whatever_counts_raises_an_alarm_when_a_counter_is_wrong(template: Template) -> None:
    filters = [found["Properties"] for found in of_type(template, "Logs::MetricFilter").values()]
    # The functions that may write counters.
    counting = {
        function.replace("LambdaFunction", "LogGroup")
        for function, told in functions(template).items()
        if grants(template, shown(told["Role"]).removesuffix(".Arn")) >= DERIVING
    }
    assert {shown(found["LogGroupName"]) for found in filters} == counting
    assert len(counting) == 3
    for found in filters:
        assert found["FilterPattern"].strip('"') in inspect.getsource(Counters)
        assert found["MetricTransformations"] == [
            {
                "MetricNamespace": "stream-sync-dev",
                "MetricName": "CounterDrift",
                "MetricValue": "1",
            }
        ]


def alarms_can_be_published(template: Template) -> None:
    # CloudWatch publishes as itself, and has no way to the key that AWS manages for SNS.
    assert "KmsMasterKeyId" not in properties(template, "AlarmTopic")
    (statement,) = properties(template, "AlarmTopicPolicy")["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


def functions_run_the_one_handler_on_arm64_with_every_setting(template: Template) -> None:
    for name, function in functions(template).items():
        assert function["Handler"] == "handler.handle", name
        assert (function["Runtime"], function["Architectures"]) == ("python3.12", ["arm64"]), name
        settings = {k: shown(v) for k, v in function["Environment"]["Variables"].items()}
        assert settings == {
            "STAGE": "dev",
            "LOG_LEVEL": "INFO",
            "OPENSEARCH_ENDPOINT": "https://${Search.DomainEndpoint}",
            "OPENSEARCH_AUTH": "aws",
            "OPENSEARCH_REFRESH": "false",
            "OPENSEARCH_TIMEOUT_S": "30",
            "TYPESENSE_QUEUE_URL": "TypesenseQueue",
            "TYPESENSE_DEAD_LETTER_QUEUE_URL": "TypesenseDeadLetterQueue",
            "TYPESENSE_URL": "https://typesense.example.org",
            "TYPESENSE_API_KEY_ARN": "TypesenseApiKey.Id",
            "TYPESENSE_TIMEOUT_S": "20",
            "CONTRIBUTIONS_TABLE": "ContributionsTable",
            "COUNTERS_TABLE": "CoreTable",
            "IMAGES_TABLE": "CoreTable",
            "DEAD_LETTER_TOPIC_ARN": "DeadLetterTopic",
            "DEAD_LETTER_QUEUE_URL": "DeadLetterQueue",
            "DEAD_LETTER_TABLE": "DeadLetterTable",
            "PAYLOAD_BUCKET": "PayloadBucket",
            "RESYNC_QUEUE_URL": "ResyncQueue",
            "PARK_DELAY_S": "40",
            "STRICT_SINKS": "",
            "STATE_TABLE": "StateTable",
        }, name


Way = tuple[str | int, ...]

# For each promise, where a bug would be, and what it would say there.
PLANTED: dict[Callable[[Template], None], tuple[Way, Any]] = {
    every_function_has_a_role_of_its_own: (
        ("AdminLambdaFunction", "Properties", "Role", "Fn::GetAtt", 0),
        "StreamRole",
    ),
    roles_name_actions_and_resources: (
        ("AdminRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0, "Resource"),
        "*",
    ),
    the_stream_role_may_do_what_the_stream_function_does: (
        ("StreamRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 3, "Action"),
        "sns:Subscribe",
    ),
    the_admin_role_may_do_what_the_admin_function_does: (
        ("AdminRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 1, "Action", 0),
        "es:ESHttpDelete",
    ),
    the_domain_is_open_to_nobody: (
        ("Search", "Properties", "AccessPolicies"),
        {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "es:ESHttp*"}]},
    ),
    both_streams_are_delivered_from_their_start_and_without_loss: (
        ("StreamEventSourceMappingDynamodbCoreTable", "Properties", "StartingPosition"),
        "LATEST",
    ),
    the_resync_role_may_do_what_the_resync_function_does: (
        ("ResyncRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 2, "Action"),
        "dynamodb:PutItem",
    ),
    the_consumer_role_may_do_what_the_consumer_does: (
        (
            "DeadLettersRole",
            "Properties",
            "Policies",
            0,
            "PolicyDocument",
            "Statement",
            2,
            "Action",
            1,
        ),
        "dynamodb:PutRecords",
    ),
    the_typesense_role_may_do_what_the_typesense_function_does: (
        ("TypesenseRole", "Properties", "Policies", 0, "PolicyDocument", "Statement", 3, "Action"),
        "secretsmanager:PutSecretValue",
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
    actions_stay_in_order_until_they_are_written_or_dead_letters: (
        ("TypesenseQueue", "Properties", "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", 0),
        "DeadLetterQueue",
    ),
    the_key_of_typesense_is_a_secret_that_the_template_does_not_know: (
        ("TypesenseApiKey", "Properties", "SecretString"),
        "xyz",
    ),
    contributions_leave_once_nothing_can_come_late: (
        ("ContributionsTable", "Properties", "TimeToLiveSpecification", "AttributeName"),
        "ttl",
    ),
    whatever_counts_raises_an_alarm_when_a_counter_is_wrong: (
        ("ResyncDrift", "Properties", "FilterPattern"),
        '"a counter holds less"',
    ),
    queues_are_consumed_message_by_message: (
        ("ResyncQueue", "Properties", "VisibilityTimeout"),
        30,
    ),
    parked_keys_are_tried_for_as_long_as_sqs_can_and_then_are_dead_letters: (
        ("ResyncQueue", "Properties", "RedrivePolicy", "maxReceiveCount"),
        1,
    ),
    a_request_is_over_before_its_key_is_tried_again: (
        ("ResyncLambdaFunction", "Properties", "Environment", "Variables", "PARK_DELAY_S"),
        "30",
    ),
    what_fails_when_invoked_asynchronously_is_a_dead_letter: (
        ("AdminLambdaEvConf", "Properties", "DestinationConfig"),
        {},
    ),
    dead_letters_are_rows_that_leave_once_they_are_resolved: (
        ("DeadLetterTable", "Properties", "TimeToLiveSpecification", "Enabled"),
        False,
    ),
    tables_outlive_the_stack_and_can_be_rewound: (("ProductsTable", "DeletionPolicy"), "Delete"),
    streams_carry_new_and_old_images: (
        ("CoreTable", "Properties", "StreamSpecification", "StreamViewType"),
        "KEYS_ONLY",
    ),
    dead_letters_reach_their_queue_from_their_topic_alone: (
        ("DeadLetterQueuePolicy", "Properties", "PolicyDocument", "Statement", 0, "Condition"),
        {},
    ),
    dead_letters_are_encrypted_and_kept_as_long_as_sqs_can: (
        ("DeadLetterQueue", "Properties", "KmsMasterKeyId"),
        "alias/aws/sqs",
    ),
    payloads_are_closed_encrypted_and_expire: (
        ("PayloadBucket", "Properties", "PublicAccessBlockConfiguration", "BlockPublicPolicy"),
        False,
    ),
    logs_are_kept_thirty_days: (("AdminLogGroup", "Properties", "RetentionInDays"), 3653),
    trouble_raises_an_alarm: (("DeadLettersAlarm", "Properties", "AlarmActions"), []),
    alarms_can_be_published: (("AlarmTopic", "Properties", "KmsMasterKeyId"), "alias/aws/sns"),
    functions_run_the_one_handler_on_arm64_with_every_setting: (
        ("StreamLambdaFunction", "Properties", "Environment", "Variables", "PAYLOAD_BUCKET"),
        "",
    ),
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
        "PARK_DELAY_S",
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
