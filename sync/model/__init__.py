"""Models: kinds of items, and their documents in each sink. For the files of sync/models/."""

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
