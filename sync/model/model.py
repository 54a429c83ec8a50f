"""What a model is: typed fields, the keys it stands under, and what each sink gets of it."""

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
    """Which items are of a model, and where they go.

    *table* may hold `{stage}`. *keys* gives each key attribute's pattern, hash key first;
    patterns match in full. *into* names each sink's target (index, collection, namespace).
    *is_fallback*: the model gets what its patterns match and no other model's do.
    """

    table: str
    keys: Mapping[str, str]
    into: Mapping[type[Sink], str] = field(default_factory=dict)
    is_fallback: bool = False


class Model(BaseModel):
    """The items of one kind.

    Validation is strict, so that a document never says anything else than its item: "5" is no
    number, and a field of a model is exactly the attribute of the same name. Attributes that are
    no fields are left out, unless the model is open: `model_config = ConfigDict(extra="allow")`.
    """

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,  # errors go to logs, values don't
        defer_build=True,  # a cold start pays only for the models that its events are of
    )

    route: ClassVar[Route | None] = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.document_schema()  # refuses a field of a type that would lose something

    @classmethod
    def document_schema(cls) -> Schema:
        """What sinks have to know of its documents. Raises RegistryError."""
        return schema_of(cls, _nested)

    @classmethod
    def is_open(cls) -> bool:
        """Whether its documents have the item's attributes that are no fields, too."""
        return cls.model_config.get("extra") == "allow"

    @classmethod
    def takes(cls) -> Collection[str] | None:
        """The attributes of an item that its document has; None: all of them."""
        return None if cls.is_open() else cls.model_fields

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Validate decoded *values*. Raises InvalidImage that tells each field's fault."""
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
        """What every sink should hold now. Pure: old and new state in, ops out."""
        assert cls.route is not None  # noqa: S101 - the registry holds routed models only
        for sink, target in cls.route.into.items():
            yield from change.document(sink, target)

    def document(self) -> bytes:
        """One line of JSON: the fields the item has, in the order of the class; if the model is
        open, its other attributes after them."""
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
    """Route the decorated model: *keys* are the table's key attributes with their patterns.

    @route("shop-{stage}", PK=r"PRODUCT", SK=r"ID#.+", into={OpenSearch: "products"})
    class Product(Model): ...
    """
    if not 1 <= len(keys) <= 2:
        raise RegistryError(f"{table}: a table has one or two key attributes, not {len(keys)}")

    def apply(model: C) -> C:
        model.route = Route(table, keys, into, is_fallback)
        return model

    return apply
