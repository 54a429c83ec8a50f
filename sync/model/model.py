"""Model: the fields, keys and destinations of one kind of items."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sync.aws.attributes import dumps
from sync.errors import InvalidImage, RegistryError
from sync.model.change import Change
from sync.model.fields import schema_of
from sync.writing.op import Op
from sync.writing.schema import Schema
from sync.writing.sink import Sink


@dataclass(frozen=True, slots=True)
class Route:
    """The items of a model, and the targets of their documents.

    *table* is the table's role, which each stage gives a name. *keys* maps each key attribute to a
    regular expression that must match it in full, partition key first. *into* maps each sink to its
    target: an index, collection or namespace. *is_fallback*: other models take precedence for keys
    that they match too.
    """

    table: str
    keys: Mapping[str, str]
    into: Mapping[type[Sink], str] = field(default_factory=dict)
    is_fallback: bool = False


class Model(BaseModel):
    """One kind of items; its fields are the attributes of the same names.

    Validation is strict, so that a document never differs from its item: the text "5" is no number.
    Other attributes are ignored, unless the model is open:
    `model_config = ConfigDict(extra="allow")`.
    """

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,  # errors are logged, values must not be
        defer_build=True,  # a cold start builds validators only for models that it uses
    )

    route: ClassVar[Route | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.document_schema()  # raises for a field whose type would lose data

    @classmethod
    def document_schema(cls) -> Schema:
        """The schema of its documents. Raises RegistryError."""
        return schema_of(cls, _nested)

    @classmethod
    def is_open(cls) -> bool:
        """Whether its documents also contain the attributes that are not fields."""
        return cls.model_config.get("extra") == "allow"

    @classmethod
    def takes(cls) -> Collection[str] | None:
        """The names of the attributes that its documents contain; None for all."""
        return None if cls.is_open() else cls.model_fields

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """The instance of decoded *values*. Raises InvalidImage, which names every fault."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
                for fault in error.errors(include_input=False, include_url=False)
            )
            invalid = InvalidImage(f"not a valid {cls.__name__}: {faults}")
            invalid.model = cls.__name__
            raise invalid from error

    @classmethod
    def plan(cls, change: Change[Self]) -> Iterator[Op]:
        """The ops of *change*; by default its document for each sink. Must be a pure function."""
        assert cls.route is not None  # noqa: S101 - the registry holds routed models only
        for sink, target in cls.route.into.items():
            yield from change.document(sink, target)

    def document(self) -> bytes:
        """One line of JSON: the fields that the item has, in the order of the class.

        If the model is open, the other attributes follow.
        """
        return dumps(self._plain())

    def _plain(self) -> dict[str, Any]:
        present = self.model_fields_set
        found = {name: _plain(value) for name, value in self.__dict__.items() if name in present}
        return {**found, **self.__pydantic_extra__} if self.__pydantic_extra__ else found


def _nested(annotation: Any) -> Schema | None:
    is_model = isinstance(annotation, type) and issubclass(annotation, Model)
    return annotation.document_schema() if is_model else None


def _plain(value: Any) -> Any:
    if isinstance(value, Model):
        return value._plain()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


C = TypeVar("C", bound=type[Model])


def route(
    table: str, *, into: Mapping[type[Sink], str], is_fallback: bool = False, **keys: str
) -> Any:
    """Decorator that gives a model its Route; *keys* are key attributes with their patterns.

    @route("shop", PK=r"PRODUCT", SK=r"ID#.+", into={OpenSearch: "products"})
    class Product(Model): ...
    """
    if not 1 <= len(keys) <= 2:
        raise RegistryError(f"{table}: a table has one or two key attributes, not {len(keys)}")

    def apply(model: C) -> C:
        model.route = Route(table, keys, into, is_fallback)
        return model

    return apply
