"""The settings of an event source mapping that concern delivery."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from local.delivery.filters import Filters
from sync.errors import ConfigError

STREAM_RETENTION_S = 86_400  # DynamoDB keeps a stream record for 24 hours (PR)
INFINITE = -1

# Describes the mapping and has no effect on delivery.
_DESCRIPTIVE = frozenset(
    (
        "EventSourceMappingArn",
        "LastModified",
        "LastProcessingResult",
        "LoggingConfig",
        "MetricsConfig",
        "ResponseMetadata",
        "State",
        "StateTransitionReason",
        "Tags",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSettings:
    """The settings of one mapping from a DynamoDB stream, with AWS's defaults (page PR)."""

    stream_arn: str
    function_arn: str
    uuid: str = ""
    starting_position: str = "TRIM_HORIZON"
    batch_size: int = 100
    window_s: int = 0
    partial_responses: bool = False
    bisect: bool = False
    maximum_retry_attempts: int = INFINITE
    maximum_record_age_s: int = INFINITE
    parallelization_factor: int = 1
    filters: Filters = field(default_factory=Filters)
    on_failure_arn: str | None = None

    def __post_init__(self) -> None:
        _in(self.starting_position, ("TRIM_HORIZON", "LATEST"), "StartingPosition")
        _in(self.batch_size, range(1, 10_001), "BatchSize")
        _in(self.window_s, range(301), "MaximumBatchingWindowInSeconds")
        _in(self.maximum_retry_attempts, range(-1, 10_001), "MaximumRetryAttempts")
        _in(self.parallelization_factor, range(1, 11), "ParallelizationFactor")
        # AWS refuses any age below a minute (CloudFormation reference).
        if self.maximum_record_age_s != INFINITE:
            _in(self.maximum_record_age_s, range(60, 604_801), "MaximumRecordAgeInSeconds")

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        """From one element of the answer of `lambda:ListEventSourceMappings`.

        Raises ConfigError with the name of a setting that is out of range, missing though required,
        or unknown to these rules: delivery that ignored a setting would prove nothing.
        """
        rest = {name: value for name, value in answer.items() if name not in _DESCRIPTIVE}
        try:
            stream_arn, function_arn = rest.pop("EventSourceArn"), rest.pop("FunctionArn")
            starting_position = rest.pop("StartingPosition")
        except KeyError as error:
            raise ConfigError(f"event source mapping: {error.args[0]} is missing") from error
        response_types = rest.pop("FunctionResponseTypes", None) or []
        for response_type in response_types:
            _in(response_type, ("ReportBatchItemFailures",), "FunctionResponseTypes")
        filters = (rest.pop("FilterCriteria", None) or {}).get("Filters") or []
        destinations = dict(rest.pop("DestinationConfig", None) or {})
        on_failure = dict(destinations.pop("OnFailure", None) or {})
        if any(destinations.values()):
            raise ConfigError(f"DestinationConfig: a stream has only OnFailure: {destinations}")
        if rest.pop("TumblingWindowInSeconds", None):
            raise ConfigError("TumblingWindowInSeconds: tumbling windows are not supported here")
        settings = cls(
            stream_arn=stream_arn,
            function_arn=function_arn,
            uuid=rest.pop("UUID", ""),
            starting_position=starting_position,
            batch_size=_or(rest.pop("BatchSize", None), 100),
            window_s=_or(rest.pop("MaximumBatchingWindowInSeconds", None), 0),
            partial_responses=bool(response_types),
            bisect=bool(rest.pop("BisectBatchOnFunctionError", None)),
            maximum_retry_attempts=_or(rest.pop("MaximumRetryAttempts", None), INFINITE),
            maximum_record_age_s=_or(rest.pop("MaximumRecordAgeInSeconds", None), INFINITE),
            parallelization_factor=_or(rest.pop("ParallelizationFactor", None), 1),
            filters=Filters([one.get("Pattern") or "{}" for one in filters]),
            on_failure_arn=on_failure.get("Destination") or None,
        )
        if unknown := sorted(name for name, value in rest.items() if value not in (None, [], {})):
            raise ConfigError(f"event source mapping: settings not known here: {unknown}")
        return settings

    @property
    def lifetime_s(self) -> int:
        """The age at which a record is given up: its maximum age, or the stream's retention."""
        if self.maximum_record_age_s == INFINITE:
            return STREAM_RETENTION_S
        return min(self.maximum_record_age_s, STREAM_RETENTION_S)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _in(value: object, allowed: range | tuple[str, ...], name: str) -> None:
    if value not in allowed:
        raise ConfigError(f"{name}: {value!r} is not one of {allowed}")
