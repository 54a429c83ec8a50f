"""Log lines as JSON objects, one a line, on standard output."""

import json
import logging
import sys
from typing import Any, Final

logger: Final = logging.getLogger("sync")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST_TRACE = 8_000  # characters; the end says most


class JsonLines(logging.Formatter):
    """level, message, request_id, then whatever the call gave as `extra`, then the trace.

    *request_id* is that of the invocation at hand: a container handles one at a time.
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
        except (RecursionError, TypeError, ValueError) as error:  # a line must not cost a record
            told = {"level": record.levelname, "message": record.getMessage()}
            return json.dumps({**told, "request_id": self.request_id, "unwritten": repr(error)})


def configure(level: str) -> None:
    """Send this service's log to standard output at *level*; harmless when called again."""
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
        logger.propagate = False  # Lambda's root handler would write every line a second time


def begin(request_id: str) -> None:
    """From now on every line carries *request_id*, under which Lambda files an invocation."""
    JsonLines.request_id = request_id
