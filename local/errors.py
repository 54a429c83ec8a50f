"""The errors of the local stack."""

from sync.cli.front import CommandError


class LocalError(CommandError):
    """A part of the local stack is missing or can't start; the message names it and the cause."""
