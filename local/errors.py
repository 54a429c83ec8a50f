"""What the local stack raises on purpose."""

from sync.cli.front import Told


class LocalError(Told):
    """A part of the local stack can't be had or can't start; the message names it and the cause."""
