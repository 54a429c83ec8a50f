"""Pages: how many rows an answer has, and where the next one begins."""

from typing import Annotated, Final, TypeAlias

from pydantic import Field

from sync.errors import ConfigError

PORTION_S: Final = 30.0  # of a call, for one portion of its work; less time left: the next page
Cursor: TypeAlias = Annotated[
    str | None, Field(description="go on from here: the cursor of the answer before")
]


def no_cursor(cursor: str) -> ConfigError:
    """*cursor* is not one that this command has answered for this payload."""
    return ConfigError(f"no cursor of an earlier answer: {cursor[:80]!r}")
