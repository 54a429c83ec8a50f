"""Moments as text: ISO 8601, UTC, to the millisecond, so that texts compare as moments do."""

from datetime import UTC, datetime


def iso(epoch_s: float) -> str:
    """`2026-11-21T08:36:41.120Z`."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def epoch(text: str) -> float:
    """Epoch seconds of an ISO 8601 text; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
