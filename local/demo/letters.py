"""Dead letters of the deployed stack, handled through the operator's commands."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from local.demo.figures import Failed

Command = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Takes the payload of a command, and returns the admin function's answer."""

_PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter with its stream record, from the table or from S3."""

    row: Mapping[str, Any]  # includes the trace
    record: Mapping[str, Any] | None  # None if it is not about a record
    stored: str  # "table" or "S3"

    @property
    def about(self) -> str:
        """The key values of its item, as one text."""
        keys = self.row.get("keys") or {}
        return " ".join(str(next(iter(value.values()))) for value in keys.values()) or "(no keys)"


class Desk:
    """Lists, replays and discards dead letters."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def open(self, count: int, *, limit_s: float) -> list[Letter]:
        """Wait for *count* open letters, for *limit_s* at most, and return all open ones."""
        end = time.monotonic() + limit_s
        while len(rows := self._rows()) < count and time.monotonic() < end:
            time.sleep(_PAUSE_S)
        return [self._whole(row) for row in rows]

    def replay(self) -> dict[str, int]:
        """Replay every open letter; returns the number of each result."""
        counts: dict[str, int] = self._command({"command": "dlq replay", "all": True})["counts"]
        return counts

    def clear(self, reason: str) -> None:
        """Discard every open letter."""
        if ids := [row["id"] for row in self._rows()]:
            self._command({"command": "dlq discard", "ids": ids, "reason": reason})

    def parked(self) -> int:
        """The number of messages of parked keys, waiting or being handled."""
        parked = self._status()["parked"]
        return int(sum(parked[name] for name in ("waiting", "delayed", "in_flight")))

    def quiet(self, *, limit_s: float) -> int:
        """Wait until no key is parked and no letter is queued; returns how many are still parked.

        Raises Failed if letters are still queued after *limit_s*.
        """
        end = time.monotonic() + limit_s
        while (left := self.parked()) and time.monotonic() < end:
            time.sleep(_PAUSE_S)
        while queued := self._status()["dead_letters"]["queued"]:
            if time.monotonic() > end:
                raise Failed(f"{queued} dead letters still wait for their rows")
            time.sleep(_PAUSE_S)
        return left

    def _rows(self) -> list[Any]:
        rows: list[Any] = self._command({"command": "dlq list"})["rows"]
        return rows

    def _whole(self, row: Mapping[str, Any]) -> Letter:
        shown = self._command({"command": "dlq show", "id": row["id"]})
        stored = "S3" if "payload" in shown["row"] else "table"
        return Letter(shown["row"], shown["body"], stored)

    def _status(self) -> Mapping[str, Any]:
        return self._command({"command": "status"})
