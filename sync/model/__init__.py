"""What items are, and what each sink gets of them: all that a file of sync/models/ imports."""

from sync.model.change import Change, Planned
from sync.model.fields import Keyword, Number, Object, Text, Timestamp
from sync.model.model import Model, route

__all__ = [
    "Change",
    "Keyword",
    "Model",
    "Number",
    "Object",
    "Planned",
    "Text",
    "Timestamp",
    "route",
]
