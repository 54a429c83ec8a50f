"""Settings, read from environment variables and checked once, before any work is taken on."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from sync.errors import ConfigError

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
TABLE = r"[A-Za-z0-9_.-]{3,255}"  # DynamoDB's names (developer guide, naming rules)


@dataclass(frozen=True, slots=True)
class Config:
    """What every function needs. Each sink reads its own settings in `from_env`."""

    stage: str
    log_level: str
    dead_letter_topic_arn: str
    payload_bucket: str
    resync_queue_url: str
    park_delay_s: float | None  # until a parked key is tried again; None: see sync/waits.py
    strict_sinks: frozenset[str]  # whose failures are reported to Lambda, not parked
    dead_letter_queue_url: str
    dead_letter_table: str
    state_table: str  # where each sink's state is noted for `status`; "": nowhere
    iterator_age_alarm_ms: int  # how late a stream may be before `status` says so, as an alarm does

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Raises ConfigError that names the first variable that is missing or wrong."""
        return cls(
            stage=matching(env, "STAGE", r"[a-z][a-z0-9-]{0,31}", "a stage name such as 'dev'"),
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
            strict_sinks=frozenset(env.get("STRICT_SINKS", "").replace(",", " ").split()),
            dead_letter_queue_url=matching(
                env, "DEAD_LETTER_QUEUE_URL", r"https?://\S+", "an SQS queue's URL"
            ),
            dead_letter_table=matching(env, "DEAD_LETTER_TABLE", TABLE, "a table's name"),
            state_table=matching(env, "STATE_TABLE", TABLE, "a table's name")
            if env.get("STATE_TABLE")
            else "",
            iterator_age_alarm_ms=int(
                matching(env, "ITERATOR_AGE_ALARM_MS", r"[1-9]\d{0,8}", "a number of milliseconds")
            )
            if env.get("ITERATOR_AGE_ALARM_MS")
            else 900_000,
        )


def required(env: Mapping[str, str], name: str) -> str:
    """The value of *name*. Raises ConfigError where it is missing or empty."""
    value = env.get(name, "").strip()
    if not value:
        raise ConfigError(f"{name} is not set")
    return value


def matching(env: Mapping[str, str], name: str, pattern: str, what: str) -> str:
    """The value of *name*, which must match *pattern* in full; *what* says so to people."""
    value = required(env, name)
    if not re.fullmatch(pattern, value):
        raise ConfigError(f"{name} must be {what}, not {value[:80]!r}")
    return value


def seconds(
    env: Mapping[str, str], name: str, *, most: float, default: float | None = None
) -> float:
    """The value of *name*, a number of seconds over 0 and at most *most*; without a *default* it
    has to be set."""
    text = env.get(name, "").strip()
    if not text and default is not None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= most:
        raise ConfigError(f"{name} must be a number over 0 and at most {most:g}, not {text[:80]!r}")
    return value


def one_of(
    env: Mapping[str, str], name: str, choices: Collection[str], *, default: str = ""
) -> str:
    """The value of *name*, one of *choices*; without a *default* it has to be set."""
    value = env.get(name, "").strip() or default or required(env, name)
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value[:80]!r}")
    return value
