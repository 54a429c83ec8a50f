"""Log lines as JSON objects, one a line, on standard output."""

import json
import logging
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sync.ops import Source

logger: Final = logging.getLogger("sync")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST_TRACE = 8_000  # characters; the end says most


class JsonLines(logging.Formatter):
    """level, message, then whatever the call gave as `extra`, then the trace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"level": record.levelname, "message": record.getMessage()}
        line.update({k: v for k, v in vars(record).items() if k not in _STANDARD})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-_LONGEST_TRACE:]
        return json.dumps(line, default=str)


def waiting(sink: str, failures: Iterable[tuple["Source", Exception]], level: int) -> None:
    """One line for each cause, with its trace once and every item: an outage has many."""
    causes: dict[str, tuple[Exception, list[Any]]] = {}
    for source, error in failures:
        _, items = causes.setdefault(f"{type(error)} {error}", (error, []))
        items.append({"table": source.table, "keys": source.keys})
    for error, items in causes.values():
        extra = {"sink": sink, "error": type(error).__name__, "items": items}
        logger.log(level, "not written yet: %s", error, extra=extra, exc_info=error)


def configure(level: str) -> None:
    """Send this service's log to standard output at *level*; harmless when called again."""
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonLines())
        logger.addHandler(handler)
        logger.propagate = False  # Lambda's root handler would write every line a second time
