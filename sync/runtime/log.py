"""Log lines as JSON objects, one a line, on standard output."""

import json
import logging
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sync.aws.keys import Source

logger: Final = logging.getLogger("sync")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST_TRACE = 8_000  # characters; the end says most
_SHOWN: Final = 10  # keys in one line; an outage has millions


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


def waiting(sink: str | None, failures: Iterable[tuple["Source", Exception]], level: int) -> None:
    """One line for each cause: how many items wait for it, ten of them, and its trace once."""
    causes: dict[str, tuple[Exception, list[Source]]] = {}
    for source, error in failures:
        causes.setdefault(f"{type(error)} {error}", (error, []))[1].append(source)
    for error, sources in causes.values():
        extra = {
            "sink": sink,
            "error": type(error).__name__,
            "count": len(sources),
            "items": [{"table": one.table, "keys": one.keys} for one in sources[:_SHOWN]],
        }
        logger.log(level, "not written yet: %s", error, extra=extra, exc_info=error)


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
