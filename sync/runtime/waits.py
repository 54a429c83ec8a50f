"""How long each thing waits for another, computed from one another.

A request may take effect after its caller gave up on it: its bytes are under way, or the server
is still at work. Sinks say how long that may last, in *effect_s*, counted from the sending. What
waits has to wait longer than what it waits for:

    a request's answer                      timeout_s of the sink's settings
    its effect                              effect_s: twice that, for what the server does alone
    a parked key, a given-up record         park_delay_s: above every sink's effect_s
    a message of a lane that comes again    again_s: above its sink's effect_s
    what a killed worker had received       the queue's visibility timeout, above the function's
                                            timeout and effect_s (serverless.yml; a test compares)
    a tombstone of OpenSearch               gc_deletes, above effect_s

A sink without versions holds the older of two writes for good where one of these is too short. The
breaker's pause need not be among them: what it refuses is parked.
"""

from collections.abc import Mapping
from math import ceil
from typing import Final

from sync.errors import ConfigError

MARGIN_S: Final = 1.0  # for the time between a clock's reading and the sending
AGAIN_MOST_S: Final = 600


def effect_s(timeout_s: float) -> float:
    """How long after its sending a request may take effect whose caller waits for *timeout_s*."""
    return 2 * timeout_s


def park_delay_s(effects_s: Mapping[str, float], asked: float | None) -> float:
    """The least time until a parked key is tried again: *asked*, or as short as is safe.

    *effects_s*: how long a request of each sink may last. Raises ConfigError where *asked* is not
    longer than that.
    """
    longest = max(effects_s, key=effects_s.__getitem__, default="")
    lasts_s = effects_s.get(longest, 0.0)
    if asked is None:
        return lasts_s + MARGIN_S
    if longest and asked <= lasts_s:
        raise ConfigError(
            f"PARK_DELAY_S is {asked:g}: it has to be longer than the {lasts_s:g} s within which "
            f"a request of {longest} may take effect"
        )
    return asked


def again_s(effect_s: float, receives: int) -> int:
    """For how long a message that was received *receives* times is left alone: whole seconds,
    longer than the last attempt's requests may last, and twice as long each time."""
    first = ceil(effect_s + MARGIN_S)
    return max(first, min(first << min(receives - 1, 9), AGAIN_MOST_S))
