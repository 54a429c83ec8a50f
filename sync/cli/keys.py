"""Parses keys that people type."""

import json
import re

from sync.aws.keys import AttributeMap
from sync.errors import ConfigError


def parse_key(text: str) -> AttributeMap:
    """A key as JSON, `{"PK": {"S": "a"}, …}`, or as `PK=a,SK=b`, whose values are texts.

    Raises ConfigError.
    """
    if text.startswith("{"):
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"--key {text[:80]}: {error}") from error
        key: AttributeMap = value
        return key
    parts = re.split(r",(?=[A-Za-z_][\w.-]*=)", text)
    pairs = [part.partition("=") for part in parts]
    if not all(equals for _, equals, _ in pairs):
        raise ConfigError(f"--key must be NAME=VALUE[,NAME=VALUE] or JSON, not {text[:80]!r}")
    return {name: {"S": value} for name, _, value in pairs}
