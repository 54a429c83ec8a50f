"""Logging to standard output, one JSON object a line."""

import json
import logging
import sys
from typing import Any, Final

logger: Final = logging.getLogger("sync")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST_TRACE = 8_000  # characters; the end is kept, since it names the cause


class JsonLines(logging.Formatter):
    """Fields: level, message, request_id, then those that the call gave as `extra`, then trace.

    *request_id* is that of the current invocation: a container handles one at a time.
    """

    request_id: str | None = None

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"level": record.levelname, "message": record.getMessage()}
        if self.request_id is not None:
            line["request_id"] = self.request_id
        line.update({k: v for k, v in vars(record).items() if k not in _STANDARD})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-_LONGEST_TRACE:]
        try:
            return json.dumps(line, default=str)
        except (RecursionError, TypeError, ValueError) as error:  # logging must not fail a record
            fallback = {"level": record.levelname, "message": record.getMessage()}
            return json.dumps({**fallback, "request_id": self.request_id, "unwritten": repr(error)})


def configure(level: str) -> None:
    """Log to standard output from *level* up. Calling it again only changes the level."""
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
        logger.propagate = False  # Lambda's root handler would write every line a second time


def begin(request_id: str) -> None:
    """Add *request_id*, Lambda's id of the invocation, to every line from now on."""
    JsonLines.request_id = request_id
