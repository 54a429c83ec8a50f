"""The arguments of a command: name, type, default and meaning, read from the command's fields.

A field is the only description of an argument. Validation, error messages, the flags of the command
line and docs/commands.md all follow from it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import NoneType
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

Key: TypeAlias = dict[str, Any]
"""A key in DynamoDB's JSON, `{"PK": {"S": "a"}}`; the command checks it against its table."""


class Kind(Enum):
    """The types that an argument may have; each value names the JSON that is expected."""

    TEXT = "a text"
    FLAG = "true or false"
    COUNT = "a whole number over 0"
    CHOICE = "one of"
    TEXTS = "a list of texts"
    KEYS = "a list of keys"


_KINDS: Final[dict[Any, Kind]] = {
    str: Kind.TEXT,
    bool: Kind.FLAG,
    int: Kind.COUNT,
    list[str]: Kind.TEXTS,
    list[Key]: Kind.KEYS,
}


@dataclass(frozen=True, slots=True)
class AtMost:
    """Marks a number: a larger one is lowered to *most* instead of refused."""

    most: int

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self._lowered, handler(source))

    def _lowered(self, value: int) -> int:
        return min(value, self.most)


@dataclass(frozen=True, slots=True)
class Positional:
    """Marks an argument that people type without a flag, such as the ids of `dlq replay`."""


class Argument(NamedTuple):
    """One argument of a command."""

    name: str
    kind: Kind
    description: str
    needed: bool
    default: Any = None  # None: no default, or the argument is needed
    choices: tuple[str, ...] = ()
    most: int | None = None  # a larger number is lowered to this one
    positional: bool = False

    @property
    def expected(self) -> str:
        """The value that is expected, in the words of errors and docs."""
        choices = f" {', '.join(self.choices)}" if self.kind is Kind.CHOICE else ""
        return f"{self.kind.value}{choices}"


def arguments(command: type[BaseModel]) -> Iterator[Argument]:
    """Every argument of *command*, in the order of its fields.

    Raises TypeError for a field without a description, or of a type that `Kind` lacks.
    """
    for name, field in command.model_fields.items():
        yield _argument(f"{command.__name__}.{name}", name, field)


def _argument(where: str, name: str, field: FieldInfo) -> Argument:
    if not field.description:
        raise TypeError(f"{where} has no description")
    annotation = _without_none(field.annotation)
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    kind = Kind.CHOICE if choices else _KINDS.get(annotation)
    if kind is None:
        raise TypeError(f"{where} is {annotation}: no argument can be of that type")
    marks = {type(mark): mark for mark in field.metadata}
    needed = field.is_required()
    return Argument(
        name,
        kind,
        field.description,
        needed,
        default=None if needed else field.default,
        choices=choices,
        most=marks[AtMost].most if AtMost in marks else None,
        positional=Positional in marks,
    )


def _without_none(annotation: Any) -> Any:
    """*annotation* without `| None`: every argument takes null for absent."""
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(annotation) and len(kinds) == 1 else annotation
