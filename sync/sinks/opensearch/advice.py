"""What a person can do about a document that OpenSearch refuses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

# By what OpenSearch 3.6 says in the reason of an error or of one of its causes.
_ADVICE: Final = (
    (
        re.compile(
            r"failed to parse field \[.*\] of type"
            r"|tried to parse field \[.*\] as object, but found a concrete value"
            r"|can't merge a non object mapping"
            r"|cannot be changed from type"
            r"|must be of type object but found",
            re.DOTALL,
        ),
        "the index has another type for this field: correct the item, or reindex if the new type "
        "is to stay",
    ),
    (
        re.compile(
            r"field name cannot be an empty string"
            r"|field name cannot contain only the character \[\.\]"
            r"|object field starting or ending with a \[\.\]"
            r"|object field cannot contain only whitespace"
        ),
        "no field can have the name of one of its attributes, which is empty, or empty or blank "
        "beside a dot: rename the attribute",
    ),
    (
        re.compile(r"Limit of total fields"),
        "the index has as many fields as it may: use fewer names, or raise "
        "index.mapping.total_fields.limit, and replay",
    ),
)


def advice(error: Any) -> str:
    """What to do about *error* of an item; "" if nothing is known. Quotes nothing of the error."""
    reasons = list(_reasons(error))
    for pattern, what in _ADVICE:
        if any(map(pattern.search, reasons)):
            return what
    return ""


def _reasons(error: Any) -> Iterator[str]:
    """The reasons of *error* and of its causes."""
    while isinstance(error, Mapping):
        yield str(error.get("reason") or "")
        error = error.get("caused_by")
