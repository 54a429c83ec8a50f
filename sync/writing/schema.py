"""What a sink has to know of the documents that feed one of its targets."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "keyword", "number", "integer", "boolean", "timestamp", "object"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a document: of a *kind*, or *nested*; *many* where it holds a list."""

    name: str
    kind: Kind | None
    nested: "Schema | None" = None
    many: bool = False
    required: bool = True


@dataclass(frozen=True, slots=True)
class Schema:
    """The documents of one model, or of one nested in it.

    *name* is the model's, for errors. *is_open*: its documents may have fields beside *fields*.
    """

    name: str
    fields: tuple[Field, ...]
    is_open: bool = False
