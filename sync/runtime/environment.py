"""Reading environment variables; each function raises ConfigError, which names the variable."""

import json
import re
from collections.abc import Collection, Mapping, Sequence

from sync.errors import ConfigError

ROLE = r"[a-z][a-z0-9_]{0,31}"  # what models call a table
PREFIX = r"([a-z][a-z0-9_-]{0,30})?"  # of indexes and collections
TABLE = r"[A-Za-z0-9_.-]{3,255}"  # DynamoDB table names (developer guide, naming rules)


def required(env: Mapping[str, str], name: str) -> str:
    """The value of *name*, without blanks around it; an error if missing or empty."""
    value = env.get(name, "").strip()
    if not value:
        raise ConfigError(f"{name} is not set")
    return value


def matching(env: Mapping[str, str], name: str, pattern: str, what: str) -> str:
    """The value of *name*, which must match *pattern* in full; the error says it must be *what*."""
    value = required(env, name)
    if not re.fullmatch(pattern, value):
        raise ConfigError(f"{name} must be {what}, not {value[:80]!r}")
    return value


def names(env: Mapping[str, str], name: str) -> frozenset[str]:
    """The names in the value of *name*, between commas or blanks."""
    return frozenset(env.get(name, "").replace(",", " ").split())


def prefix(env: Mapping[str, str], name: str) -> str:
    """The value of *name*, what the names of a stage's indexes or collections begin with."""
    value = env.get(name, "").strip()
    if not re.fullmatch(PREFIX, value):
        raise ConfigError(f"{name} must be a prefix of names such as 'shop-', not {value[:80]!r}")
    return value


def mapping(
    env: Mapping[str, str], name: str, keys: str, values: str, what: str
) -> Mapping[str, str]:
    """The value of *name*, a JSON object of texts whose keys and values match these patterns."""
    text = required(env, name)
    try:
        found = json.loads(text)
        pairs = {str(key): str(value) for key, value in found.items()}
    except (ValueError, AttributeError):
        pairs = {}
    if not pairs or not all(
        re.fullmatch(keys, key) and re.fullmatch(values, value) for key, value in pairs.items()
    ):
        raise ConfigError(f"{name} must be {what}, as JSON, not {text[:80]!r}")
    return pairs


def lists(
    env: Mapping[str, str], name: str, keys: Collection[str], most: int, what: str
) -> Mapping[str, Sequence[str]]:
    """The value of *name*, a JSON object of lists: one to *most* different texts for each key.

    Its keys are some of *keys*.
    """
    text = required(env, name)
    try:
        found = json.loads(text)
        good = all(
            key in keys and isinstance(texts, list) and _different(texts) and len(texts) <= most
            for key, texts in found.items()
        )
    except (ValueError, AttributeError):
        good = False
    if not good:
        raise ConfigError(f"{name} must be {what}, as JSON, not {text[:80]!r}")
    lists: Mapping[str, Sequence[str]] = found
    return lists


def _different(texts: list[object]) -> bool:
    """Whether *texts* has texts alone, at least one, none empty and none twice."""
    good = bool(texts) and all(isinstance(text, str) and text for text in texts)
    return good and len(set(texts)) == len(texts)


def seconds(
    env: Mapping[str, str], name: str, *, most: float, default: float | None = None
) -> float:
    """The value of *name*: seconds, over 0, at most *most*. Required unless *default* is given."""
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
    """The value of *name*, one of *choices*. Required unless *default* is given."""
    value = env.get(name, "").strip() or default or required(env, name)
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, not {value[:80]!r}")
    return value
