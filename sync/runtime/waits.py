"""The waits of the service, each computed from the wait that it has to exceed.

A request may take effect after its caller gave up: it is still in transit, or the server is still
working. A sink's *effect_s* says how many seconds after the sending that may happen. Whatever
writes the same document next has to wait longer:

    timeout_s              setting of a sink: how long a caller waits for the answer
    effect_s               twice that, since the server may go on alone
    park_delay_s           until a parked key, or a record that Lambda gave up on, is retried:
                           longer than the effect_s of every sink
    again_s                until a message of a lane is delivered again: longer than its sink's
                           effect_s
    visibility timeout     of a queue, until what a killed worker had received is delivered again:
                           longer than the function's timeout and effect_s (serverless.yml, tested)
    gc_deletes             how long OpenSearch keeps a tombstone: longer than effect_s

If one of these is too short, a sink without versions may keep the older of two writes for good. The
pause of a breaker is not among them: what a breaker refuses is parked.
"""

from collections.abc import Mapping
from math import ceil
from typing import Final

from sync.errors import ConfigError

MARGIN_S: Final = 1.0  # between reading the clock and sending the request
AGAIN_MOST_S: Final = 600


def effect_s(timeout_s: float) -> float:
    """Seconds from its sending within which a request with that timeout may take effect."""
    return 2 * timeout_s


def park_delay_s(effects_s: Mapping[str, float], asked: float | None) -> float:
    """Seconds until a parked key is retried: *asked* if given, else the shortest safe delay.

    *effects_s*: the effect_s of each sink, by name. Raises ConfigError unless *asked* is longer
    than the longest of them.
    """
    longest = max(effects_s, key=effects_s.__getitem__, default="")
    longest_s = effects_s.get(longest, 0.0)
    if asked is None:
        return longest_s + MARGIN_S
    if longest and asked <= longest_s:
        raise ConfigError(
            f"PARK_DELAY_S is {asked:g}: it has to be longer than the {longest_s:g} s within which "
            f"a request of {longest} may take effect"
        )
    return asked


def again_s(effect_s: float, receives: int) -> int:
    """Whole seconds until a message that was received *receives* times is delivered again.

    Longer than *effect_s*, and twice as long each time, up to AGAIN_MOST_S.
    """
    first = ceil(effect_s + MARGIN_S)
    return max(first, min(first << min(receives - 1, 9), AGAIN_MOST_S))
