"""Logs and alarms."""

import inspect
import json
from collections.abc import Mapping
from typing import Any

from sync.commands.parts import queues
from sync.runtime.clock import SystemClock
from sync.sinks.counters import Counters
from sync.writing.metrics import NAMESPACE, Metrics
from tests.integ.template.reading import (
    Planted,
    Template,
    functions,
    grants,
    of_type,
    properties,
    shown,
)


def logs_are_kept_thirty_days(template: Template) -> None:
    kept = {
        group["Properties"]["LogGroupName"]: group["Properties"]["RetentionInDays"]
        for group in of_type(template, "Logs::LogGroup").values()
    }
    assert kept == {f"/aws/lambda/{f['FunctionName']}": 30 for f in functions(template).values()}


def every_alarm_tells_somebody_what_to_look_at(template: Template) -> None:
    for name, alarm in of_type(template, "CloudWatch::Alarm").items():
        told = alarm["Properties"]
        assert told["AlarmActions"] == [{"Ref": "AlarmTopic"}], name
        assert told["AlarmName"].startswith("stream-sync-prod-"), name
        assert 20 < len(told["AlarmDescription"]) <= 1024, name  # CloudWatch's limit
        assert told["EvaluationPeriods"] * told.get("Period", 60) <= 86_400, name  # and another


def trouble_raises_an_alarm(template: Template) -> None:
    raised = {
        (told["MetricName"], of(told), told["Statistic"], compared(told))
        for told in plain(template).values()
        if told["MetricName"] not in ("Errors", "Throttles", "PolledEventCount")
        and told["Namespace"] != "AWS/ES"
    }
    lost = "DestinationDeliveryFailures"
    assert raised == {
        ("IteratorAge", "StreamLambdaFunction", "Maximum", "1 of 1 x 60 s > 900000"),
        (lost, "StreamLambdaFunction", "Sum", "1 of 1 x 60 s > 0"),
        (lost, "AdminLambdaFunction", "Sum", "1 of 1 x 60 s > 0"),
        ("dead_letters", "prod", "Sum", "1 of 1 x 60 s > 0"),
        ("held", "prod", "Sum", "1 of 1 x 60 s > 0"),
        ("run_waits", "prod", "Sum", "4 of 4 x 900 s > 0"),
        ("unread", "prod", "Sum", "1 of 1 x 86400 s > 0"),
        ("differences", "prod", "Sum", "1 of 1 x 86400 s > 0"),
        (
            "ApproximateAgeOfOldestMessage",
            "TypesenseQueue.QueueName",
            "Maximum",
            "1 of 1 x 60 s > 900",
        ),
        (
            "ApproximateNumberOfMessagesDelayed",
            "ResyncQueue.QueueName",
            "Maximum",
            "1 of 1 x 60 s > 100",
        ),
        ("CounterDrift", "stream-sync-prod", "Sum", "1 of 1 x 60 s > 0"),
    }


def a_function_that_raises_or_is_throttled_raises_an_alarm(template: Template) -> None:
    for metric, when in (("Errors", "1 of 1 x 60 s > 0"), ("Throttles", "5 of 5 x 60 s > 0")):
        watched = {of(t): t for t in plain(template).values() if t["MetricName"] == metric}
        assert set(watched) == set(functions(template)), metric
        for name, told in watched.items():
            assert (told["Statistic"], compared(told)) == ("Sum", when), name


def a_mapping_that_no_longer_reads_raises_an_alarm(template: Template) -> None:
    mappings = of_type(template, "Lambda::EventSourceMapping")
    for name, mapping in mappings.items():
        # Without this there is no such metric, and the alarm would be raised for ever.
        assert mapping["Properties"]["MetricsConfig"] == {"Metrics": ["EventCount"]}, name
    watched = {
        of(told): told
        for told in plain(template).values()
        if told["MetricName"] == "PolledEventCount"
    }
    assert set(watched) == set(mappings)
    for name, told in watched.items():
        (dimension,) = told["Dimensions"]
        assert dimension["Name"] == "EventSourceMappingUUID", name
        # One that reads nothing counts 0; one that does not read has no data, and no sample.
        assert (told["Statistic"], compared(told)) == ("SampleCount", "3 of 3 x 300 s < 1"), name
        assert told["TreatMissingData"] == "breaching", name


def what_lambda_can_deliver_nowhere_raises_an_alarm(template: Template) -> None:
    delivering = {
        shown(mapping["Properties"]["FunctionName"]).removesuffix(".Arn")
        for mapping in of_type(template, "Lambda::EventSourceMapping").values()
        if "DestinationConfig" in mapping["Properties"]
    } | {
        shown(config["Properties"]["FunctionName"])
        for config in of_type(template, "Lambda::EventInvokeConfig").values()
    }
    assert delivering == {
        of(told)
        for told in plain(template).values()
        if told["MetricName"] == "DestinationDeliveryFailures"
    }


def messages_that_stay_raise_an_alarm_whoever_holds_them(template: Template) -> None:
    held = {
        "DeadLettersStuckAlarm": ("DeadLetterQueue", ("Visible", "NotVisible")),
        "TypesenseDeadLettersStuckAlarm": ("TypesenseDeadLetterQueue", ("Visible", "NotVisible")),
        "ParkedLongAlarm": ("ResyncQueue", ("Delayed", "Visible", "NotVisible")),
    }
    for name, (queue, states) in held.items():
        told = properties(template, name)
        total, *parts = told["Metrics"]
        assert total["Expression"].split(" + ") == [part["Id"] for part in parts], name
        assert total.get("ReturnData", True) is True, name
        for part, state in zip(parts, states, strict=True):
            assert part["ReturnData"] is False, name
            metric, period = part["MetricStat"]["Metric"], part["MetricStat"]["Period"]
            assert (metric["Namespace"], period) == ("AWS/SQS", 60), name
            assert metric["MetricName"] == f"ApproximateNumberOfMessages{state}", name
            assert of(metric) == f"{queue}.QueueName", name
        lasting, of_them = told["EvaluationPeriods"], told["DatapointsToAlarm"]
        assert (lasting, of_them) == (queues.LASTING_MIN, queues.AT_LEAST), name
        assert (told["ComparisonOperator"], told["Threshold"]) == ("GreaterThanThreshold", 0), name
        assert told["TreatMissingData"] == "notBreaching", name


def no_alarm_rests_on_the_age_of_a_standard_queue_s_messages(template: Template) -> None:
    # It leaves out what was received three times: what a consumer that keeps failing leaves.
    for name, told in plain(template).items():
        if told["MetricName"] == "ApproximateAgeOfOldestMessage":
            queue = of(told).removesuffix(".QueueName")
            assert properties(template, queue).get("FifoQueue") is True, name


def the_domain_s_own_trouble_raises_an_alarm(template: Template) -> None:
    # OpenSearch Service guide, "Recommended CloudWatch alarms".
    told = {t["MetricName"]: t for t in plain(template).values() if t["Namespace"] == "AWS/ES"}
    assert {metric: compared(alarm) for metric, alarm in told.items()} == {
        "ClusterStatus.red": "1 of 1 x 60 s >= 1",
        "ClusterIndexWritesBlocked": "1 of 1 x 300 s >= 1",
        "JVMMemoryPressure": "3 of 3 x 60 s >= 95",
        "CPUUtilization": "3 of 3 x 900 s >= 80",
    }
    storage = properties(template, "SearchStorageAlarm")
    percent, free = storage["Metrics"]
    metric = free["MetricStat"]["Metric"]
    assert (metric["MetricName"], free["MetricStat"]["Stat"]) == ("FreeStorageSpace", "Minimum")
    disk_gb = properties(template, "Search")["EBSOptions"]["VolumeSize"]
    assert percent["Expression"] == f"free / (1024 * {disk_gb}) * 100"  # free is in MiB
    assert (storage["ComparisonOperator"], storage["Threshold"]) == (
        "LessThanOrEqualToThreshold",
        25,
    )
    for of_domain in (*told.values(), metric):
        assert of_domain["Dimensions"] == [
            {"Name": "DomainName", "Value": {"Ref": "Search"}},
            {"Name": "ClientId", "Value": {"Ref": "AWS::AccountId"}},
        ]


def plain(template: Template) -> dict[str, dict[str, Any]]:
    """The alarms of one metric each."""
    alarms = of_type(template, "CloudWatch::Alarm")
    return {k: a["Properties"] for k, a in alarms.items() if "MetricName" in a["Properties"]}


def of(told: Mapping[str, Any]) -> str:
    """What an alarm's metric is about."""
    subjects = [shown(dimension["Value"]) for dimension in told["Dimensions"]]
    return (subjects or [told["Namespace"]])[0]


def compared(told: Mapping[str, Any]) -> str:
    """When an alarm is raised: in how many periods of how many, of what length, beyond what."""
    sign = {
        "GreaterThanThreshold": ">",
        "GreaterThanOrEqualToThreshold": ">=",
        "LessThanThreshold": "<",
    }[told["ComparisonOperator"]]
    periods = told["EvaluationPeriods"]
    breaching = told.get("DatapointsToAlarm", periods)
    return f"{breaching} of {periods} x {told['Period']} s {sign} {told['Threshold']}"


def whatever_counts_raises_an_alarm_when_a_counter_is_wrong(template: Template) -> None:
    filters = [found["Properties"] for found in of_type(template, "Logs::MetricFilter").values()]
    # The functions that may write counters.
    counting = {
        function.replace("LambdaFunction", "LogGroup")
        for function, told in functions(template).items()
        if ("dynamodb:PutItem", "ContributionsTable.Arn")
        in grants(template, shown(told["Role"]).removesuffix(".Arn"))
    }
    assert {shown(found["LogGroupName"]) for found in filters} == counting
    assert len(counting) == 4
    for found in filters:
        assert found["FilterPattern"].strip('"') in inspect.getsource(Counters)
        assert found["MetricTransformations"] == [
            {
                "MetricNamespace": "stream-sync-prod",
                "MetricName": "CounterDrift",
                "MetricValue": "1",
            }
        ]


def what_the_functions_count_is_what_alarms_watch(template: Template) -> None:
    lines: list[str] = []
    metrics = Metrics("prod", SystemClock(), lines.append)
    metrics.count(None, "dead_letters")
    metrics.count(None, "held")
    metrics.count(None, "run_waits")
    metrics.count(None, "unread")
    for sink in ("opensearch", "typesense"):
        metrics.count(sink, "differences")
    metrics.flush()
    counted = [
        (metric["Name"], {name: line[name] for name in dimensions})
        for line in map(json.loads, lines)
        for written in line["_aws"]["CloudWatchMetrics"]
        for metric in written["Metrics"]
        for dimensions in written["Dimensions"]
        if written["Namespace"] == NAMESPACE
    ]
    watched = [
        (told["MetricName"], {each["Name"]: each["Value"] for each in told["Dimensions"]})
        for told in plain(template).values()
        if told["Namespace"] == NAMESPACE
    ]
    assert sorted(watched, key=str) == sorted(counted, key=str)


def alarms_can_be_published(template: Template) -> None:
    # CloudWatch publishes as itself, and has no way to the key that AWS manages for SNS.
    assert "KmsMasterKeyId" not in properties(template, "AlarmTopic")
    policy = properties(template, "AlarmTopicPolicy")["PolicyDocument"]
    (statement,) = (s for s in policy["Statement"] if "Fn::If" not in s)  # that denies
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


PLANTED: Planted = {
    logs_are_kept_thirty_days: (("AdminLogGroup", "Properties", "RetentionInDays"), 3653),
    every_alarm_tells_somebody_what_to_look_at: (
        ("DeadLettersAlarm", "Properties", "AlarmActions"),
        [],
    ),
    trouble_raises_an_alarm: (("StreamLateAlarm", "Properties", "Threshold"), 43_200_000),
    a_function_that_raises_or_is_throttled_raises_an_alarm: (
        ("AdminThrottlesAlarm", "Properties", "MetricName"),
        "Invocations",
    ),
    a_mapping_that_no_longer_reads_raises_an_alarm: (
        ("CoreStreamStoppedAlarm", "Properties", "TreatMissingData"),
        "notBreaching",
    ),
    what_lambda_can_deliver_nowhere_raises_an_alarm: (
        ("AdminLossAlarm", "Properties", "MetricName"),
        "DeadLetterErrors",
    ),
    messages_that_stay_raise_an_alarm_whoever_holds_them: (
        ("ParkedLongAlarm", "Properties", "Metrics", 0, "Expression"),
        "visible + flying",
    ),
    no_alarm_rests_on_the_age_of_a_standard_queue_s_messages: (
        ("ParkedManyAlarm", "Properties", "MetricName"),
        "ApproximateAgeOfOldestMessage",
    ),
    the_domain_s_own_trouble_raises_an_alarm: (
        ("SearchMemoryAlarm", "Properties", "Dimensions"),
        [{"Name": "DomainName", "Value": {"Ref": "Search"}}],
    ),
    whatever_counts_raises_an_alarm_when_a_counter_is_wrong: (
        ("ResyncDrift", "Properties", "FilterPattern"),
        '"a counter holds less"',
    ),
    what_the_functions_count_is_what_alarms_watch: (
        ("HeldAlarm", "Properties", "Dimensions"),
        [{"Name": "stage", "Value": "dev"}],
    ),
    alarms_can_be_published: (("AlarmTopic", "Properties", "KmsMasterKeyId"), "alias/aws/sns"),
}
