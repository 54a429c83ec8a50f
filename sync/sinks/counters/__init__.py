"""The counters sink; read it from sink.py.

families  what counters count, and the keys that they have
sink      ops → moves of contributions → transactions → outcomes
rows      what a contribution row and a counter hold
actions   the parts of a transaction
recount   counters compared with the contributions to them
"""

from sync.sinks.counters.families import Counted
from sync.sinks.counters.sink import Counters

__all__ = ["Counted", "Counters"]
