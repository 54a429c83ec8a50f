"""Fields of a schema: what may be declared, and which types values are taken for."""

import re
from dataclasses import dataclass, replace
from typing import Self

from local.typesense.answers import Json, Refusal

FALLBACK = ".*"  # the field that stands for all that aren't declared
_SCALARS = ("string", "int32", "int64", "float", "bool", "object")
_TYPES = frozenset((*_SCALARS, *(f"{scalar}[]" for scalar in _SCALARS), "auto", "string*"))
_NUMBERS = ("int32", "int64", "float", "bool")  # those that are sorted by unless told otherwise
_FLAGS = ("store", "facet", "optional", "index", "sort", "infix", "stem", "range_index")
_UNSUPPORTED = ("reference", "embed", "num_dim")
_FORMAT = (
    "Wrong format for `fields`. It should be an array of objects containing"
    " `name`, `type`, `optional` and `facet` properties."
)


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: str
    facet: bool = False
    optional: bool = False
    index: bool = True
    sort: bool = False
    store: bool = True
    infix: bool = False
    stem: bool = False
    range_index: bool = False
    locale: str = ""
    nested: bool = False  # an object, or below one

    @classmethod
    def from_json(cls, json: Json, *, nested_fields: bool) -> Self:
        """A declared field (field.cpp, json_field_to_field). Raises Refusal."""
        if not (
            isinstance(json, dict)
            and isinstance(name := json.get("name"), str)
            and isinstance(kind := json.get("type"), str)
        ):
            raise Refusal(400, _FORMAT)
        if not name:
            raise Refusal(400, "Field name cannot be empty.")
        if "drop" in json:
            raise Refusal(
                400,
                f"Invalid property `drop` on field `{name}`:"
                " it is allowed only during schema update.",
            )
        dynamic = name == FALLBACK or is_dynamic(name, kind)
        given = {"optional": dynamic, "sort": kind in _NUMBERS}
        for flag in _FLAGS:
            if flag in json:
                if not isinstance(json[flag], bool):
                    raise Refusal(
                        400, f"The `{flag}` property of the field `{name}` should be a boolean."
                    )
                given[flag] = json[flag]
        for unsupported in _UNSUPPORTED:
            if json.get(unsupported):
                raise Refusal(400, f"This stand-in for Typesense has no `{unsupported}` fields.")
        locale = json.get("locale", "")
        if not isinstance(locale, str):
            raise Refusal(400, f"The `locale` property of the field `{name}` should be a string.")
        if len(locale) not in (0, 2) and locale != "de_en":
            raise Refusal(400, f"The `locale` value of the field `{name}` is not valid.")
        nested = kind in ("object", "object[]") or (
            nested_fields and "." in name and FALLBACK not in name
        )
        field = cls(name, kind, locale=locale, nested=nested, **given)
        field._check_fallback()
        if kind in ("object", "object[]") and not nested_fields:
            raise Refusal(
                400,
                "Type `object` or `object[]` can be used only when nested fields are enabled by"
                " setting` enable_nested_fields` to true.",
            )
        return field

    def _check_fallback(self) -> None:
        if self.name != FALLBACK:
            return
        if not self.optional:
            raise Refusal(400, "Field `.*` must be an optional field.")
        if self.facet:
            raise Refusal(400, "Field `.*` cannot be a facet field.")
        if not self.index:
            raise Refusal(400, "Field `.*` must be an index field.")
        if self.type not in _TYPES:
            raise Refusal(400, "The `type` of field `.*` is invalid.")

    @property
    def dynamic(self) -> bool:
        return is_dynamic(self.name, self.type)

    @property
    def scalar(self) -> str:
        """The type of its value, or of each of its values."""
        return self.type.removesuffix("[]")

    @property
    def array(self) -> bool:
        return self.type.endswith("[]")

    def matches(self, name: str) -> bool:
        """Whether a dynamic field stands for *name*."""
        return re.fullmatch(self.name, name) is not None

    def check(self, default_sorting_field: str) -> None:
        """Refuse what can't be declared (field.cpp, fields_to_json_fields). Raises Refusal."""
        if self.type not in _TYPES:
            raise Refusal(
                400,
                f"Field `{self.name}` has an invalid data type `{self.type}`,"
                " see docs for supported data types.",
            )
        if self.name == default_sorting_field:
            if not (self.sort and self.type in (*_NUMBERS, "string")):
                raise Refusal(400, f"Default sorting field `{self.name}` is not a sortable type.")
            if self.optional:
                raise Refusal(
                    400, f"Default sorting field `{self.name}` cannot be an optional field."
                )
        if self.dynamic and not self.nested and not self.optional:
            raise Refusal(400, f"Field `{self.name}` must be an optional field.")
        if not self.index and self.facet:
            raise Refusal(
                400, f"Field `{self.name}` cannot be a facet since it's marked as non-indexable."
            )
        if self.sort and self.type not in (*_NUMBERS, "string"):
            raise Refusal(400, f"Field `{self.name}` cannot be a sortable field.")

    def found(self, name: str, kind: str) -> Self:
        """The field that a document adds to the schema by holding *name*."""
        return replace(
            self, name=name, type=kind, optional=True, sort=self.sort or kind in _NUMBERS
        )

    def to_json(self) -> Json:
        """As a collection's summary shows it (collection.cpp, get_summary_json)."""
        json = {
            "name": self.name,
            "type": self.type,
            "facet": self.facet,
            "optional": self.optional,
            "index": self.index,
            "sort": self.sort,
            "infix": self.infix,
            "locale": self.locale,
            "stem": self.stem,
            "store": self.store,
            "stem_dictionary": "",
        }
        return json | {"range_index": True} if self.range_index else json


def is_dynamic(name: str, kind: str) -> bool:
    """Whether documents decide which fields it stands for."""
    return kind == "string*" or (name != FALLBACK and (kind == "auto" or FALLBACK in name))


def type_of(value: Json) -> str | None:
    """The type that a value is taken for; None: null, or an array that can't tell."""
    match value:
        case list():
            inner = type_of(value[0]) if value and not isinstance(value[0], list) else None
            return inner and f"{inner}[]"
        case bool():
            return "bool"
        case int():
            return "int64"
        case float():
            return "float"
        case str():
            return "string"
        case dict():
            return "object"
    return None
