"""The stack on one machine: an AWS emulator and real search servers, without Docker."""

import sync  # noqa: F401 - which says so where this Python is too old
