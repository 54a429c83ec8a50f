"""The types a model's fields can have, and what a schema needs to know of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import PlainValidator, StringConstraints
from pydantic_core import PydanticCustomError

from sync.errors import RegistryError

if TYPE_CHECKING:
    from sync.model.model import Model

Kind = Literal["text", "keyword", "number", "integer", "boolean", "timestamp", "object"]


@dataclass(frozen=True, slots=True)
class As:
    """How a field is searched, where its Python type leaves that open."""

    kind: Kind


Text = Annotated[str, As("text")]
Keyword = Annotated[str, As("keyword")]


def _number(value: Any) -> Any:
    if type(value) not in (int, float, Decimal):  # a bool is an int to isinstance
        raise PydanticCustomError("number", "Input should be a number")
    return value


# Exact to DynamoDB's 38 digits. One check, where a union would try, and tell of, three.
Number = Annotated[int | float | Decimal, As("number"), PlainValidator(_number)]
Timestamp = Annotated[
    str,
    As("timestamp"),
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$"),
]
Object = Annotated[dict[str, Any], As("object")]  # a map of unknown fields, searched as one

_KINDS: dict[Any, Kind] = {str: "text", int: "integer", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field as schemas see it: of a *kind*, or *nested*; *many* where it holds a list."""

    name: str
    kind: Kind | None
    nested: "type[Model] | None" = None
    many: bool = False
    required: bool = True


def fields(model: "type[Model]") -> Iterator[Field]:
    """The fields of *model*. Raises RegistryError for a type that no schema can be made of."""
    for name, info in model.model_fields.items():
        annotation: Any = info.annotation
        for hint in reversed(info.metadata):  # Pydantic moves Annotated's metadata here
            annotation = Annotated[annotation, hint]
        yield _field(f"{model.__name__}.{name}", name, annotation, required=info.is_required())


def _field(path: str, name: str, annotation: Any, *, required: bool, many: bool = False) -> Field:
    from sync.model.model import Model

    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for hint in arguments[1:]:
            if isinstance(hint, As):
                return Field(name, hint.kind, many=many, required=required)
        return _field(path, name, arguments[0], required=required, many=many)
    if origin in (Union, UnionType):
        (*members,) = (argument for argument in arguments if argument is not NoneType)
        if len(members) == 1:
            return _field(path, name, members[0], required=required, many=many)
    if origin is list and not many:
        return _field(path, name, arguments[0], required=required, many=True)
    if annotation in _KINDS:
        return Field(name, _KINDS[annotation], many=many, required=required)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return Field(name, None, nested=annotation, many=many, required=required)
    if annotation is float:
        raise RegistryError(f"{path}: a float loses digits that DynamoDB keeps; use Number")
    raise RegistryError(f"{path}: no schema for the type {annotation}")
