"""Settings that every function needs, read from environment variables and checked at start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from sync.runtime.environment import (
    ROLE,
    TABLE,
    lists,
    mapping,
    matching,
    names,
    one_of,
    seconds,
)

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of the service. Each sink reads its own settings in `from_env`."""

    stage: str
    tables: Mapping[str, str]  # the full name of each table, by the role that models call it by
    mirrors: Mapping[str, Sequence[str]]  # of tables without models: key attributes, by role
    log_level: str
    dead_letter_topic_arn: str
    payload_bucket: str
    resync_queue_url: str
    park_delay_s: float | None  # until a parked key is retried; None: as sync/runtime/waits.py says
    sinks_off: frozenset[str]  # nothing is written to them
    strict_sinks: frozenset[str]  # what they fail is reported to Lambda, not parked
    dead_letter_queue_url: str
    dead_letter_table: str
    state_table: str  # of each sink's state, for `status`; "": no state is kept
    runs_queue_url: str  # of the queue that runs go by; "": there are none, such as backfills
    runs_table: str  # of their progress; "" as above
    iterator_age_alarm_ms: int  # from this age on `status` warns and the alarm rings

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Raises ConfigError, which names the first variable that is missing or wrong."""
        stage = matching(env, "STAGE", r"[a-z][a-z0-9-]{0,31}", "a stage name such as 'dev'")
        tables = mapping(env, "TABLES", ROLE, TABLE, "the tables' names by role")
        return cls(
            stage=stage,
            tables=tables,
            mirrors=lists(env, "MIRRORS", tables, 2, "one or two key attributes by role of TABLES")
            if env.get("MIRRORS")
            else {},
            log_level=one_of(env, "LOG_LEVEL", LOG_LEVELS, default="INFO"),
            dead_letter_topic_arn=matching(
                env,
                "DEAD_LETTER_TOPIC_ARN",
                r"arn:[^:]+:sns:[^:]+:\d{12}:[^:]+",
                "an SNS topic's ARN",
            ),
            payload_bucket=matching(
                env, "PAYLOAD_BUCKET", r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "an S3 bucket's name"
            ),
            resync_queue_url=matching(
                env, "RESYNC_QUEUE_URL", r"https?://\S+", "an SQS queue's URL"
            ),
            park_delay_s=seconds(env, "PARK_DELAY_S", most=900.0)
            if env.get("PARK_DELAY_S", "").strip()
            else None,
            sinks_off=names(env, "SINKS_OFF"),
            strict_sinks=names(env, "STRICT_SINKS"),
            dead_letter_queue_url=matching(
                env, "DEAD_LETTER_QUEUE_URL", r"https?://\S+", "an SQS queue's URL"
            ),
            dead_letter_table=matching(env, "DEAD_LETTER_TABLE", TABLE, "a table's name"),
            state_table=matching(env, "STATE_TABLE", TABLE, "a table's name")
            if env.get("STATE_TABLE")
            else "",
            runs_queue_url=matching(env, "RUNS_QUEUE_URL", r"https?://\S+", "an SQS queue's URL")
            if env.get("RUNS_QUEUE_URL")
            else "",
            runs_table=matching(env, "RUNS_TABLE", TABLE, "a table's name")
            if env.get("RUNS_TABLE")
            else "",
            iterator_age_alarm_ms=int(
                matching(env, "ITERATOR_AGE_ALARM_MS", r"[1-9]\d{0,8}", "a number of milliseconds")
            )
            if env.get("ITERATOR_AGE_ALARM_MS")
            else 900_000,
        )
