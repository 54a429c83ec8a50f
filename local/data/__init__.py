"""The items that the demo writes to the tables, from public data and from fixed seeds."""

from typing import Any

Item = dict[str, Any]
"""An item of a table, as Python values."""
