"""The sections of serverless.yml that follow from a stage's tables."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sync.stages.schema import Table

Tables = Mapping[str, Table]
Json = dict[str, Any]

_NAME: Final = "${self:custom.name}"  # resolved by osls
# What osls can't say of a mapping. Each counts the events that it polls: only missing counts show
# one that is disabled or denied.
_POLLING: Final[Json] = {
    "MetricsConfig": {"Metrics": ["EventCount"]},
    "DestinationConfig": {
        "OnFailure": {"Destination": "${self:custom.givenUp.${self:custom.stage.given_up_to}}"}
    },
}


def references(tables: Tables) -> Json:
    """What the rest of serverless.yml says of *tables*.

    *names* is the variable TABLES of functions, *events* are streams as events of osls, *polled*
    is a part of the dashboard.
    """
    return {
        "names": _names(tables),
        "arns": [arn(role, table) for role, table in tables.items()],
        "streams": [_stream(role, table) for role, table in tables.items()],
        "events": [{"stream": _event(role, table)} for role, table in tables.items()],
        "polled": ", ".join(_polled(tables)),
    }


def resources(tables: Tables, *, keep: bool) -> Json:
    """The resources, outputs, and extensions of mappings, for *tables*.

    *keep*: the tables that the stack makes outlive it.
    """
    found: Json = {"Resources": {}, "Outputs": {}, "extensions": {}}
    for role, table in tables.items():
        if not table.arn:
            found["Resources"][_logical(role)] = _table(role, table, keep=keep)
        found["Resources"][f"{_title(role)}StreamStoppedAlarm"] = _stopped(role, table)
        found["Outputs"][_logical(role)] = {"Value": name(role, table)}
        found["Outputs"][f"{_title(role)}StreamArn"] = {"Value": _stream(role, table)}
        found["extensions"][_mapping(role, table)] = {"Properties": _POLLING}
    return found


def deletion(*, keep: bool) -> str:
    """The DeletionPolicy of what holds data. *keep*: a removed stack leaves it behind.

    A first deployment that fails leaves nothing all the same, so that it can be repeated.
    """
    return "RetainExceptOnCreate" if keep else "Delete"


def name(role: str, table: Table) -> str | Json:
    """The full name of *table*, or a reference to it."""
    return table.arn.rpartition("/")[2] if table.arn else {"Ref": _logical(role)}


def arn(role: str, table: Table) -> str | Json:
    """The ARN of *table*, or a reference to it."""
    return table.arn or {"Fn::GetAtt": [_logical(role), "Arn"]}


def _stream(role: str, table: Table) -> str | Json:
    return table.stream or {"Fn::GetAtt": [_logical(role), "StreamArn"]}


def _title(role: str) -> str:
    """*role* as a part of logical ids: `air_frames` is AirFrames."""
    return "".join(word.title() for word in role.split("_"))


def _logical(role: str) -> str:
    return f"{_title(role)}Table"


def _names(tables: Tables) -> str | Json:
    refers = any(not table.arn for table in tables.values())
    text = json.dumps(
        {
            role: table.arn.rpartition("/")[2] if table.arn else f"${{{_logical(role)}}}"
            for role, table in tables.items()
        }
    )
    return {"Fn::Sub": text} if refers else text


def _event(role: str, table: Table) -> Json:
    """The stream of *table* as an event of osls; serverless.yml has what all streams share."""
    return {
        "type": "dynamodb",
        "arn": _stream(role, table),
        "batchSize": table.batch_size,
        "batchWindow": table.batch_window_s,
        "parallelizationFactor": table.parallelization_factor,
        # LATEST can miss records while a mapping is created; replaying is harmless.
        "startingPosition": "TRIM_HORIZON",
        "enabled": "${param:mappingsEnabled}",
        "functionResponseType": "ReportBatchItemFailures",
        "bisectBatchOnFunctionError": True,
        "maximumRetryAttempts": 3,  # as in the source systems: keys are parked, so only bugs retry
    }


def _mapping(role: str, table: Table) -> str:
    """The logical id that osls gives the mapping of *table*."""
    called = table.arn.rpartition("/")[2] if table.arn else _logical(role)
    letters = "".join(letter for letter in called if letter.isascii() and letter.isalnum())
    return f"StreamEventSourceMappingDynamodb{letters[:1].upper()}{letters[1:]}"


def _polled(tables: Tables) -> Iterator[str]:
    """The metrics of the mappings, as entries of a dashboard's widget."""
    start = '"AWS/Lambda", "PolledEventCount", "EventSourceMappingUUID"'
    for role, table in tables.items():
        yield f'[{start}, "${{{_mapping(role, table)}}}", {{"label": "{role} stream"}}]'
        start = '"..."'


def _table(role: str, table: Table, *, keep: bool) -> Json:
    kinds = ("HASH", "RANGE")
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": deletion(keep=keep),
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "TableName": table.name or f"{_NAME}-{role.replace('_', '-')}",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": key, "AttributeType": kind} for key, kind in table.keys.items()
            ],
            "KeySchema": [
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(table.keys, kinds, strict=False)
            ],
            "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    }


def _stopped(role: str, table: Table) -> Json:
    """The alarm that rings if Lambda no longer reads the stream of *table*."""
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmName": f"{_NAME}-{role.replace('_', '-')}-stream-stopped",
            "AlarmDescription": (
                f"Lambda has not read the {role} table's stream for 15 minutes. Is its mapping "
                "disabled, or its role changed? Records are lost at 24 h"
            ),
            "Namespace": "AWS/Lambda",
            "MetricName": "PolledEventCount",
            "Dimensions": [
                {"Name": "EventSourceMappingUUID", "Value": {"Ref": _mapping(role, table)}}
            ],
            "Statistic": "SampleCount",
            "Period": 300,
            "EvaluationPeriods": 3,
            "ComparisonOperator": "LessThanThreshold",
            "Threshold": 1,
            "TreatMissingData": "breaching",
            "AlarmActions": [{"Ref": "AlarmTopic"}],
        },
    }
