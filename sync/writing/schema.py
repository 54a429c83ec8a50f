"""The schema of documents, from which a sink generates its mappings."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "keyword", "number", "integer", "boolean", "timestamp", "object"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a document.

    Has a *kind*, or is *nested*: a document of its own. *many*: it holds a list of these.
    """

    name: str
    kind: Kind | None
    nested: "Schema | None" = None
    many: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of the documents of one model, or of a model nested in it.

    *name* is the model's, for errors. *is_open*: documents may have other fields too.
    """

    name: str
    fields: tuple[Field, ...]
    is_open: bool = False
