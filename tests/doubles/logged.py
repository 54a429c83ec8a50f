"""What was logged, as people find it in the log."""

import logging
from typing import Any, Final

import pytest

_STANDARD: Final = {*vars(logging.makeLogRecord({})), "message", "asctime"}


def logged(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[Any]:
    """Level, message and fields of each line from *level* up."""
    return [
        (
            record.levelname,
            record.getMessage(),
            {name: value for name, value in vars(record).items() if name not in _STANDARD},
        )
        for record in caplog.records
        if record.levelno >= level
    ]
