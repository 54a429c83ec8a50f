"""Settings as the mapping says them, and nothing else."""

from typing import Any

import pytest

from local.delivery.settings import MappingSettings
from sync.errors import ConfigError
from tests.unit.local.delivery.lanes import FUNCTION, STREAM

BARE = {
    "UUID": "u",
    "EventSourceArn": STREAM,
    "FunctionArn": FUNCTION,
    "StartingPosition": "LATEST",
    "State": "Enabled",
    "LastModified": 1,
}


def test_every_setting_is_taken() -> None:
    """Each delivery setting of the answer has its field."""
    settings = MappingSettings.from_answer(
        {
            **BARE,
            "BatchSize": 7,
            "MaximumBatchingWindowInSeconds": 3,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 0,
            "MaximumRecordAgeInSeconds": 60,
            "ParallelizationFactor": 4,
            "TumblingWindowInSeconds": 0,
            "FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
            "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": "arn:aws:sns:x"}},
        }
    )
    assert settings.filters.match({"eventName": "INSERT"})
    assert not settings.filters.match({"eventName": "REMOVE"})
    assert settings == MappingSettings(
        stream_arn=STREAM,
        function_arn=FUNCTION,
        uuid="u",
        starting_position="LATEST",
        batch_size=7,
        window_s=3,
        partial_responses=True,
        bisect=True,
        maximum_retry_attempts=0,
        maximum_record_age_s=60,
        parallelization_factor=4,
        filters=settings.filters,
        on_failure_arn="arn:aws:sns:x",
    )


def test_what_the_answer_leaves_out_has_awss_default() -> None:
    """Defaults are those of the parameters' page (PR)."""
    settings = MappingSettings.from_answer(BARE)
    assert settings.batch_size == 100
    assert settings.window_s == 0
    assert settings.maximum_retry_attempts == -1
    assert settings.maximum_record_age_s == -1
    assert settings.parallelization_factor == 1
    assert not settings.partial_responses
    assert not settings.bisect
    assert not settings.filters
    assert settings.on_failure_arn is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("StartingPosition", "AT_TIMESTAMP"),
        ("BatchSize", 0),
        ("BatchSize", 10_001),
        ("MaximumBatchingWindowInSeconds", 301),
        ("MaximumRetryAttempts", -2),
        ("MaximumRecordAgeInSeconds", 59),
        ("MaximumRecordAgeInSeconds", 604_801),
        ("ParallelizationFactor", 11),
        ("TumblingWindowInSeconds", 30),
        ("FunctionResponseTypes", ["Unheard"]),
        ("DestinationConfig", {"OnSuccess": {"Destination": "arn:aws:sns:x"}}),
        ("ScalingConfig", {"MaximumConcurrency": 2}),
        ("FilterCriteriaError", {"ErrorCode": "x"}),
        ("InventedIn2030", True),
        ("FilterCriteria", {"Filters": [{"Pattern": "{"}]}),
    ],
)
def test_a_setting_out_of_range_or_unknown_is_refused(name: str, value: Any) -> None:
    """Better no delivery than one by rules that the mapping does not ask for."""
    with pytest.raises(ConfigError, match=name):
        MappingSettings.from_answer({**BARE, name: value})


def test_a_missing_setting_is_named() -> None:
    """An answer without its stream is no mapping of ours."""
    with pytest.raises(ConfigError, match="EventSourceArn"):
        MappingSettings.from_answer({"FunctionArn": FUNCTION})
