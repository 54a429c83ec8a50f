"""How long to wait before trying again."""

import random


def full_jitter(retry: int, *, base_s: float = 0.1, cap_s: float = 5.0) -> float:
    """Seconds to wait before retry number *retry*, the first being 1.

    Evenly spread between nothing and a ceiling that doubles with each retry up to *cap_s*: of the
    schemes compared in "Exponential Backoff And Jitter" (AWS Architecture Blog) the one that
    makes clients that failed together collide least.
    """
    doublings = min(retry - 1, 64)  # beyond that a float overflows, and any cap is reached
    return random.uniform(0.0, min(cap_s, base_s * 2**doublings))  # noqa: S311 - not a secret
