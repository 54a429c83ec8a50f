"""Logs and alarms."""

import inspect

from sync.sinks.counters import Counters
from tests.integ.template.reading import (
    Planted,
    Template,
    functions,
    grants,
    of_type,
    properties,
    shown,
)
from tests.integ.template.roles import DERIVING


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


PLANTED: Planted = {
    logs_are_kept_thirty_days: (("AdminLogGroup", "Properties", "RetentionInDays"), 3653),
    trouble_raises_an_alarm: (("DeadLettersAlarm", "Properties", "AlarmActions"), []),
    whatever_counts_raises_an_alarm_when_a_counter_is_wrong: (
        ("ResyncDrift", "Properties", "FilterPattern"),
        '"a counter holds less"',
    ),
    alarms_can_be_published: (("AlarmTopic", "Properties", "KmsMasterKeyId"), "alias/aws/sns"),
}
