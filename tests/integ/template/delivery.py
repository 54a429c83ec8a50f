"""Streams, queues and the functions that they invoke."""

import json
import re

from local.deploy import SETTINGS
from local.paths import ROOT
from sync.cli import calls
from sync.runtime.waits import effect_s
from tests.integ.template.reading import Planted, Template, functions, of_type, properties, shown


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
            "MaximumBatchingWindowInSeconds": 0,
            "ParallelizationFactor": 1,
            "StartingPosition": "TRIM_HORIZON",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 3,
            # Not by the letters' topic, which may be what failed.
            "DestinationConfig": {
                "OnFailure": {"Destination": {"Fn::GetAtt": ["PayloadBucket", "Arn"]}}
            },
            "MetricsConfig": {"Metrics": ["EventCount"]},
        }, source


def what_needs_nobody_is_done_on_schedule(template: Template) -> None:
    found = {}
    for rule in of_type(template, "Events::Rule").values():
        (target,) = rule["Properties"]["Targets"]
        assert rule["Properties"]["State"] == "ENABLED"
        assert target["Arn"] == {"Fn::GetAtt": ["AdminLambdaFunction", "Arn"]}
        found[rule["Properties"]["ScheduleExpression"]] = json.loads(target["Input"])
    assert found == {
        "rate(15 minutes)": {"command": "recover"},
        "rate(1 day)": {"command": "verify", "sample": 1000},
    }


def queues_are_consumed_message_by_message(template: Template) -> None:
    mappings = {
        shown(mapping["Properties"]["EventSourceArn"]): mapping["Properties"]
        for mapping in of_type(template, "Lambda::EventSourceMapping").values()
        if "StartingPosition" not in mapping["Properties"]
    }
    consumers = {
        "ResyncQueue.Arn": ("ResyncLambdaFunction", 5),
        "RunsQueue.Arn": ("RunsLambdaFunction", 8),
        "TypesenseQueue.Arn": ("TypesenseLambdaFunction", 2),
        "DeadLetterQueue.Arn": ("DeadlettersLambdaFunction", 2),
        "TypesenseDeadLetterQueue.Arn": ("DeadlettersLambdaFunction", 2),
    }
    assert set(mappings) == set(consumers)
    for source, mapping in mappings.items():
        function, at_once = consumers[source]
        assert mapping["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}
        assert mapping["BatchSize"] == (1 if source == "RunsQueue.Arn" else 10), source
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
        "maxReceiveCount": 10,
    }
    # What it parks comes back to it by way of the resync function: no runaway loop either.
    assert functions(template)["TypesenseLambdaFunction"]["RecursiveLoop"] == "Allow"


def a_request_is_over_before_what_it_was_about_is_tried_again(template: Template) -> None:
    """Also where the function that sent it was killed: its messages stay hidden for so long."""
    for name, function in functions(template).items():
        settings = function["Environment"]["Variables"]
        longest_s = max(
            effect_s(float(settings[f"{sink}_TIMEOUT_S"])) for sink in ("OPENSEARCH", "TYPESENSE")
        )
        assert settings["PARK_DELAY_S"] == "", name  # computed: sync/runtime/waits.py
        for mapping in of_type(template, "Lambda::EventSourceMapping").values():
            source = mapping["Properties"]["EventSourceArn"]["Fn::GetAtt"][0]
            queue = template["Resources"][source]["Properties"]
            if mapping["Properties"]["FunctionName"]["Fn::GetAtt"][0] == name and (
                "VisibilityTimeout" in queue
            ):
                assert queue["VisibilityTimeout"] > function["Timeout"] + longest_s, source


def what_fails_when_invoked_asynchronously_is_a_dead_letter(template: Template) -> None:
    (config,) = of_type(template, "Lambda::EventInvokeConfig").values()
    assert config["Properties"]["FunctionName"] == {"Ref": "AdminLambdaFunction"}
    assert config["Properties"]["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Ref": "DeadLetterTopic"}}
    }


def whoever_invokes_admin_waits_longer_than_it_may_take(template: Template) -> None:
    longest_s = functions(template)["AdminLambdaFunction"]["Timeout"]
    scripts = json.loads((ROOT / "package.json").read_text())["scripts"]
    told = (ROOT / "docs" / "commands.md").read_text()
    for waits_ms in (
        SETTINGS["AWS_CLIENT_TIMEOUT"],
        re.findall(r"AWS_CLIENT_TIMEOUT=(\d+)", scripts["invoke"])[0],
        re.findall(r"AWS_CLIENT_TIMEOUT=(\d+)", told)[0],
    ):
        assert int(waits_ms) > longest_s * 1000
    assert longest_s == calls.LONGEST_S


def streams_carry_new_and_old_images(template: Template) -> None:
    for name in ("CoreTable", "ProductsTable"):
        view = properties(template, name)["StreamSpecification"]
        assert view == {"StreamViewType": "NEW_AND_OLD_IMAGES"}, name


def dead_letters_reach_their_queue_from_their_topic_and_bucket_alone(template: Template) -> None:
    policy = properties(template, "DeadLetterQueuePolicy")["PolicyDocument"]
    topic, bucket = (s for s in policy["Statement"] if "Fn::If" not in s)  # that denies
    name = properties(template, "PayloadBucket")["BucketName"]["Fn::Sub"]
    assert bucket == {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "Condition": {
            "ArnEquals": {"aws:SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{name}"}},
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
        },
    }
    assert template["Resources"]["PayloadBucket"]["DependsOn"] == ["DeadLetterQueuePolicy"]
    (notification,) = properties(template, "PayloadBucket")["NotificationConfiguration"][
        "QueueConfigurations"
    ]
    assert notification == {
        "Event": "s3:ObjectCreated:*",
        "Queue": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "Filter": {"S3Key": {"Rules": [{"Name": "prefix", "Value": "aws/lambda/"}]}},
    }
    assert topic == {
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


def functions_run_the_one_handler_on_arm64_with_every_setting(template: Template) -> None:
    for name, function in functions(template).items():
        assert function["Handler"] == "handler.handle", name
        assert (function["Runtime"], function["Architectures"]) == ("python3.12", ["arm64"]), name
        settings = {k: shown(v) for k, v in function["Environment"]["Variables"].items()}
        assert settings == {
            "STAGE": "prod",
            "TABLES": '{"core": "${CoreTable}", "products": "${ProductsTable}"}',
            "MIRRORS": "{}",
            "SINKS_OFF": "",
            "LOG_LEVEL": "INFO",
            "OPENSEARCH_ENDPOINT": "https://${Search.DomainEndpoint}",
            "OPENSEARCH_PREFIX": "",
            "OPENSEARCH_AUTH": "aws",
            "OPENSEARCH_REFRESH": "false",
            "OPENSEARCH_TIMEOUT_S": "20",
            "TYPESENSE_QUEUE_URL": "TypesenseQueue",
            "TYPESENSE_DEAD_LETTER_QUEUE_URL": "TypesenseDeadLetterQueue",
            "TYPESENSE_URL": "https://typesense.example.org",
            "TYPESENSE_PREFIX": "",
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
            "RUNS_QUEUE_URL": "RunsQueue",
            "RUNS_TABLE": "RunsTable",
            "PARK_DELAY_S": "",
            "STRICT_SINKS": "",
            "STATE_TABLE": "StateTable",
            "ITERATOR_AGE_ALARM_MS": "900000",
        }, name


PLANTED: Planted = {
    what_needs_nobody_is_done_on_schedule: (
        ("AdminEventsRuleSchedule1", "Properties", "State"),
        "DISABLED",
    ),
    both_streams_are_delivered_from_their_start_and_without_loss: (
        ("StreamEventSourceMappingDynamodbCoreTable", "Properties", "StartingPosition"),
        "LATEST",
    ),
    queues_are_consumed_message_by_message: (
        ("ResyncQueue", "Properties", "VisibilityTimeout"),
        30,
    ),
    parked_keys_are_tried_for_as_long_as_sqs_can_and_then_are_dead_letters: (
        ("ResyncQueue", "Properties", "RedrivePolicy", "maxReceiveCount"),
        1,
    ),
    actions_stay_in_order_until_they_are_written_or_dead_letters: (
        ("TypesenseQueue", "Properties", "RedrivePolicy", "deadLetterTargetArn", "Fn::GetAtt", 0),
        "DeadLetterQueue",
    ),
    a_request_is_over_before_what_it_was_about_is_tried_again: (
        ("TypesenseQueue", "Properties", "VisibilityTimeout"),
        150,
    ),
    what_fails_when_invoked_asynchronously_is_a_dead_letter: (
        ("AdminLambdaEvConf", "Properties", "DestinationConfig"),
        {},
    ),
    whoever_invokes_admin_waits_longer_than_it_may_take: (
        ("AdminLambdaFunction", "Properties", "Timeout"),
        900,
    ),
    streams_carry_new_and_old_images: (
        ("CoreTable", "Properties", "StreamSpecification", "StreamViewType"),
        "KEYS_ONLY",
    ),
    dead_letters_reach_their_queue_from_their_topic_and_bucket_alone: (
        ("DeadLetterQueuePolicy", "Properties", "PolicyDocument", "Statement", 0, "Condition"),
        {},
    ),
    dead_letters_are_encrypted_and_kept_as_long_as_sqs_can: (
        ("DeadLetterQueue", "Properties", "KmsMasterKeyId"),
        "alias/aws/sqs",
    ),
    functions_run_the_one_handler_on_arm64_with_every_setting: (
        ("StreamLambdaFunction", "Properties", "Environment", "Variables", "PAYLOAD_BUCKET"),
        "",
    ),
}
