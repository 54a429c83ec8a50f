"""Paging: when an answer ends, and where the next one starts."""

from typing import Annotated, Final, TypeAlias

from pydantic import Field

from sync.errors import ConfigError

PORTION_S: Final = 30.0  # for one portion of a call's work; with less time left the page ends
Cursor: TypeAlias = Annotated[
    str | None, Field(description="start here: the cursor of the previous answer")
]


def no_cursor(cursor: str) -> ConfigError:
    """The error for a *cursor* that no answer to this payload had."""
    return ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}")
