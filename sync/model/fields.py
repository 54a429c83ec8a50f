"""The types of a model's fields, and the schema that follows from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from sync.errors import RegistryError
from sync.writing.schema import Field, Kind, Schema


@dataclass(frozen=True, slots=True)
class As:
    """Annotates a field with how it is searched, if its Python type does not say so."""

    kind: Kind


Text = Annotated[str, As("text")]
Keyword = Annotated[str, As("keyword")]


def _number(value: Any) -> Any:
    if type(value) not in (int, float, Decimal):  # a bool is an int to isinstance
        raise PydanticCustomError("number", "Input should be a number")
    return value


# Exact to DynamoDB's 38 digits. Pydantic would try each type of the union, and report three errors.
Number = Annotated[int | float | Decimal, As("number"), PlainValidator(_number)]
Timestamp = Annotated[
    str,
    As("timestamp"),
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"),
]
Object = Annotated[dict[str, Any], As("object")]  # a map with any fields, all searched together

_KINDS: dict[Any, Kind] = {str: "text", int: "integer", bool: "boolean"}


def schema_of(model: type[BaseModel], nested: Callable[[Any], Schema | None]) -> Schema:
    """The schema of *model*. *nested* returns the schema of a type that is a model, else None.

    Raises RegistryError for a field whose type has no schema.
    """
    fields = []
    for name, info in model.model_fields.items():
        annotation: Any = info.annotation
        for hint in reversed(info.metadata):  # Pydantic keeps Annotated's metadata here
            annotation = Annotated[annotation, hint]
        path = f"{model.__name__}.{name}"
        field = _field(path, name, annotation, nested)
        fields.append(replace(field, required=info.is_required()))
    is_open = model.model_config.get("extra") == "allow"
    return Schema(model.__name__, tuple(fields), is_open)


def _field(path: str, name: str, annotation: Any, nested: Callable[[Any], Schema | None]) -> Field:
    """The field *name* of type *annotation*; *path* names it in errors. Raises RegistryError."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for hint in arguments[1:]:
            if isinstance(hint, As):
                return Field(name, hint.kind)
        return _field(path, name, arguments[0], nested)
    if origin in (Union, UnionType):
        (*members,) = (argument for argument in arguments if argument is not NoneType)
        if len(members) == 1:
            return _field(path, name, members[0], nested)
    if origin is list and not (inner := _field(path, name, arguments[0], nested)).many:
        return replace(inner, many=True)
    if annotation in _KINDS:
        return Field(name, _KINDS[annotation])
    if (schema := nested(annotation)) is not None:
        return Field(name, None, nested=schema)
    if annotation is float:
        raise RegistryError(f"{path}: a float loses digits that DynamoDB keeps; use Number")
    raise RegistryError(f"{path}: no schema for the type {annotation}")
