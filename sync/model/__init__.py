"""What items are, and what each sink gets of them: all that a file of sync/models/ imports."""

from sync.model.change import Change
from sync.model.fields import Keyword, Number, Object, Text, Timestamp
from sync.model.model import Model, route
from sync.writing.op import Op

__all__ = [
    "Change",
    "Keyword",
    "Model",
    "Number",
    "Object",
    "Op",
    "Text",
    "Timestamp",
    "route",
]
