"""Objects within documents: the flat values that fields are checked on, and partial updates."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from local.typesense.answers import Document, Json, Refusal
from local.typesense.fields import Field, type_of

_WIDENING = {("int64", "int32"), ("int64", "float"), ("int64[]", "int32[]"), ("int64[]", "float[]")}


@dataclass(slots=True)
class Flat:
    """What lies in a document's objects: values by dotted name, and the fields that these make."""

    values: Document = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)

    def put(self, name: str, value: Json, made: Field | None, *, many: bool) -> None:
        if many:
            self.values.setdefault(name, []).append(value)
        else:
            self.values[name] = value
        if made:
            self.fields[name] = made


def flatten(document: Document, fields: Iterable[Field], *, exists: bool) -> Flat:
    """The values of *document*'s objects, as nested *fields* see them (field.cpp, flatten_doc).

    Nulls within objects are removed from a document that is new. Raises Refusal.
    """
    flat = Flat()
    for declared in fields:
        parts = declared.name.split(".")
        if declared.index and not (len(parts) > 1 and declared.name in document):
            _walk(flat, document, declared, parts, exists=exists, many=False, in_objects=False)
    return flat


def tops(fields: Iterable[Field]) -> list[Field]:
    """The nested ones of *fields*, less those below another object."""
    nested = {field.name: field for field in fields if field.nested}
    return [
        field
        for name, field in nested.items()
        if not any(parent in nested for parent in _parents(name))
    ]


def merge(target: Document, patch: Document, old: Document) -> None:
    """Apply *patch* to *target*, in place (index.cpp, get_doc_changes): nulls remove, objects
    merge where *old* has one too, all else replaces.
    """
    for name, value in list(patch.items()):
        if value is None:
            target.pop(name, None)
        elif all(isinstance(each.get(name), dict) for each in (patch, target, old)):
            merge(target[name], value, old[name])
        else:
            target[name] = without_nulls(value)


def without_nulls(value: Json) -> Json:
    """*value*, less every null within."""
    if isinstance(value, dict):
        return {k: without_nulls(inner) for k, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value if inner is not None]
    return value


def values_at(document: Document, name: str) -> list[Json]:
    """All values of a field, whatever objects and arrays they lie in."""
    found: list[Json] = [document[name]] if name in document else _below(document, name.split("."))
    return [value for each in found for value in (each if isinstance(each, list) else [each])]


def _below(value: Json, parts: list[str]) -> list[Json]:
    if isinstance(value, list):
        return [found for each in value for found in _below(each, parts)]
    if not parts:
        return [value]
    if isinstance(value, dict) and parts[0] in value:
        return _below(value[parts[0]], parts[1:])
    return []


def _parents(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[:size]) for size in range(1, len(parts)))


def _walk(
    flat: Flat,
    value: Json,
    declared: Field,
    parts: list[str],
    *,
    exists: bool,
    many: bool,
    in_objects: bool,
) -> None:
    """Follow the *parts* of a declared name down to its value."""
    if not parts:
        _take(flat, value, declared, exists=exists, many=many, in_objects=in_objects)
        return
    if not isinstance(value, dict) or parts[0] not in value:
        if not declared.optional and not exists:
            raise Refusal(404, f"Field `{declared.name}` not found.")
        return
    below = value[parts[0]]
    if isinstance(below, list):
        for each in below:
            deeper = in_objects or isinstance(each, dict)
            _walk(flat, each, declared, parts[1:], exists=exists, many=True, in_objects=deeper)
    else:
        _walk(flat, below, declared, parts[1:], exists=exists, many=many, in_objects=in_objects)


def _take(
    flat: Flat, value: Json, declared: Field, *, exists: bool, many: bool, in_objects: bool
) -> None:
    kind = type_of(value)
    if kind is None:
        if value is None and declared.optional:
            if exists:
                flat.values[declared.name] = None
            return
        raise Refusal(400, f"Field `{declared.name}` has an incorrect type.")
    if many and not kind.endswith("[]"):
        kind += "[]"
    in_objects = in_objects or (kind == "object[]" and many)
    if kind != declared.type and (kind, declared.type) not in _WIDENING:
        hint = " Hint: field inside an array of objects must be an array type as well."
        raise Refusal(
            400,
            f"Field `{declared.name}` has an incorrect type."
            + (hint if in_objects and not declared.array else ""),
        )
    if declared.scalar == "object":
        _spread(flat, value, declared, declared.name, exists=exists, many=many)
    else:
        flat.put(declared.name, value, None, many=many)


def _spread(flat: Flat, value: Json, parent: Field, name: str, *, exists: bool, many: bool) -> None:
    """Put all that lies below an object under dotted names."""
    if isinstance(value, dict):
        for key, below in list(value.items()):
            if below is None and not exists:
                del value[key]
            elif below is None:
                flat.put(f"{name}.{key}", None, None, many=many)
            else:
                _spread(flat, below, parent, f"{name}.{key}", exists=exists, many=many)
    elif isinstance(value, list):
        for each in value:
            _spread(flat, each, parent, name, exists=exists, many=True)
    elif kind := type_of(value):
        flat.put(name, value, parent.found(name, f"{kind}[]" if many else kind), many=many)
