"""The counters sink; read it from sink.py.

sink      ops → changes of contributions → transactions → outcomes
rows      what a contribution row and a counter hold, and the keys they stand under
actions   the parts of a transaction
"""

from sync.sinks.counters.rows import Counted
from sync.sinks.counters.sink import Counters

__all__ = ["Counted", "Counters"]
