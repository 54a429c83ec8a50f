"""Keeps search indexes, edge stores and derived data in step with DynamoDB."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - people have others; what follows is any Python's
    sys.exit(
        "stream-sync needs Python 3.11 or newer, and " + sys.executable + " is "
        + sys.version.split()[0] + ": `make setup`, then use .venv/bin/python"
    )  # fmt: skip
