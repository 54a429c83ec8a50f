"""Moments as text: ISO 8601, UTC, milliseconds. Texts sort as the moments do."""

from datetime import UTC, datetime


def iso(epoch_s: float) -> str:
    """*epoch_s*, seconds since the epoch, as `2026-11-21T08:36:41.120Z`."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def epoch(text: str) -> float:
    """Seconds since the epoch of the ISO 8601 *text*, UTC if it has no zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
