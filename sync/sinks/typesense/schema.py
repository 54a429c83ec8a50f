"""Typesense's schema for the models that feed one alias: explicit types, nothing guessed."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sync.errors import RegistryError
from sync.sinks.typesense.documents import EXACT
from sync.writing.schema import Field, Kind, Schema

# A map of unknown fields is left out of the schema: Typesense stores it without indexing it. In a
# declared object, indexed or not, the first document that has an inner field fixes its type, and
# others are refused: 1.5 after 1 (seen with 0.24.1).
_UNDECLARED: Final = "object"
_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    "text": {"type": "string"},
    "keyword": {"type": "string", "facet": True},
    # A search compares 32 bits; the document keeps every digit (documents.py).
    "number": {"type": "float"},
    "integer": {"type": "int64"},
    "boolean": {"type": "bool"},
    # The item's own text, unchanged. Times of one zone and precision sort correctly, others nearly.
    "timestamp": {"type": "string", "sort": True},
    "object": {"type": _UNDECLARED},
}
_OWN: Final = ("id", EXACT)


def collection(documents: Sequence[Schema]) -> dict[str, Any]:
    """The schema, without a name, of the collection behind an alias that takes *documents*.

    Raises RegistryError if two of them give one field different types, or if a field has a name
    that the sink itself uses.
    """
    owned = [(each, list(_declared(each))) for each in documents]
    declared: dict[str, dict[str, Any]] = {}
    for schema, found in owned:
        for field in found:
            known = declared.setdefault(field["name"], {**field})
            known["optional"] |= field["optional"]
            if known != {**field, "optional": known["optional"]}:
                raise RegistryError(
                    f"{schema.name}.{field['name']}: another model of the alias differs"
                )
    for _, found in owned:
        for name in declared.keys() - {field["name"] for field in found}:
            declared[name]["optional"] = True  # these documents don't have it
    listed = [f for f in declared.values() if f["type"].removesuffix("[]") != _UNDECLARED]
    return {"enable_nested_fields": True, "fields": listed}


def _declared(
    schema: Schema, prefix: str = "", *, many: bool = False, required: bool = True
) -> Iterator[dict[str, Any]]:
    for field in schema.fields:
        if not prefix and field.name in _OWN:
            raise RegistryError(f"{schema.name}.{field.name}: Typesense has a use for the name")
        name = f"{prefix}{field.name}"
        several, needed = many or field.many, required and field.required
        if field.nested is not None:
            needed = needed and not field.many  # an empty list has no such fields
            yield from _declared(field.nested, f"{name}.", many=several, required=needed)
        else:
            yield _declaration(name, field, many=several, required=needed)


def _declaration(name: str, field: Field, *, many: bool, required: bool) -> dict[str, Any]:
    assert field.kind is not None  # noqa: S101 - a field is nested or of a kind
    kind = dict(_TYPES[field.kind])
    if many:
        kind["type"] += "[]"
        kind.pop("sort", None)  # arrays can't be sorted by
    return {"name": name, **kind, "optional": not required}
