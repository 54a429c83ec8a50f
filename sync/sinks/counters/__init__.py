"""The counters sink; read it from sink.py.

families  what counters count, and the keys of their rows
sink      ops → moves of contributions → transactions → outcomes
rows      the rows of contributions and counters
actions   the actions of a transaction
recount   compares counters with the contributions to them
"""

from sync.sinks.counters.families import Counted
from sync.sinks.counters.sink import Counters

__all__ = ["Counted", "Counters"]
