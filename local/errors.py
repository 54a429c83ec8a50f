"""What the local stack raises on purpose."""


class LocalError(Exception):
    """A part of the local stack can't be had or can't start; the message names it and the cause."""
