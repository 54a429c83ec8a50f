"""How long tests are: `make test` has minutes, `make soak` (SOAK=1) takes its time.

What takes long is marked `soak`, and runs in both; what `alone` marks runs in the soak only.
"""

import os
from typing import Final

import pytest

SOAKING: Final = os.environ.get("SOAK") == "1"


def cases(usual: int, soak: int) -> int:
    """How many examples, or seeds, a test tries."""
    return soak if SOAKING else usual


def alone(why: str) -> pytest.MarkDecorator:
    """A mark for a test that takes long, *why* another run does without it."""
    return pytest.mark.skipif(not SOAKING, reason=f"in make soak: {why}")
