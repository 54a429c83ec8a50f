"""A collection's schema: declared once, grown by documents, altered by PATCH."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from local.typesense import nesting
from local.typesense.answers import Document, Json, Refusal
from local.typesense.fields import FALLBACK, Field, type_of
from local.typesense.values import Action, Dirty, validate

_ALTER_FORMAT = (
    "The `fields` value should be an array of objects containing"
    " the field `name` and other properties."
)
_INCOMPATIBLE = (
    "Schema change is incompatible with the type of documents already stored in this collection."
)
_ALREADY = (
    " is already part of the schema: To change this field,"
    " drop it first before adding it back to the schema."
)


@dataclass(slots=True)
class Schema:
    name: str
    fields: list[Field]  # declared, dynamic and found, in that order
    default_sorting_field: str = ""
    nested_fields: bool = False
    token_separators: Sequence[str] = ()
    symbols_to_index: Sequence[str] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)
    created_at: int = field(default_factory=lambda: int(time.time()))  # Unix seconds

    @classmethod
    def from_json(cls, json: Mapping[str, Json]) -> Self:
        """What POST /collections takes (collection_manager.cpp). Raises Refusal."""
        if "name" not in json:
            raise Refusal(400, "Parameter `name` is required.")
        name = json["name"]
        if not isinstance(name, str) or not name:
            raise Refusal(400, "Parameter `name` must be a non-empty string.")
        if "fields" not in json:
            raise Refusal(400, "Parameter `fields` is required.")
        sorting = json.get("default_sorting_field", "")
        if not isinstance(sorting, str):
            raise Refusal(
                400,
                "`default_sorting_field` should be a string."
                " It should be the name of an int32/float field.",
            )
        nested = json.get("enable_nested_fields", False)
        if not isinstance(nested, bool):
            raise Refusal(400, "`enable_nested_fields` should be a boolean.")
        if not isinstance(json["fields"], list) or not json["fields"]:
            raise Refusal(
                400,
                "The `fields` value should be an array of objects containing"
                " `name`, `type` and optionally, `facet` properties.",
            )
        metadata = json.get("metadata", {})
        if not isinstance(metadata, dict):
            raise Refusal(400, "The `metadata` value should be an object.")
        if sorting == "id":
            raise Refusal(400, "Invalid `default_sorting_field` value: cannot be `id`.")
        fields = [
            Field.from_json(each, nested_fields=nested)
            for each in json["fields"]
            if not (
                isinstance(each, dict) and each.get("name") == "id"
            )  # ignored, it is always there
        ]
        schema = cls(
            name,
            fields,
            sorting,
            nested,
            _characters(json, "token_separators"),
            _characters(json, "symbols_to_index"),
            metadata,
        )
        schema._check()
        return schema

    def _check(self) -> None:
        for each in self.fields:
            each.check(self.default_sorting_field)
        names = [each.name for each in self.fields]
        if self.default_sorting_field and self.default_sorting_field not in names:
            raise Refusal(
                400,
                f"Default sorting field is defined as `{self.default_sorting_field}`"
                " but is not found in the schema.",
            )
        if names.count(FALLBACK) > 1:
            raise Refusal(400, "There can be only one field named `.*`.")
        if len(names) != len(set(names)):
            raise Refusal(400, "There are duplicate field names in the schema.")

    @property
    def searched(self) -> dict[str, Field]:
        """The fields that documents are held against, by name."""
        return {
            each.name: each for each in self.fields if not each.dynamic and each.name != FALLBACK
        }

    @property
    def _guessing(self) -> list[Field]:
        dynamic = [each for each in self.fields if each.dynamic]
        return dynamic + [each for each in self.fields if each.name == FALLBACK]

    def dirty(self, name: str) -> Dirty:
        """What a request's `dirty_values` means; anything else is the default."""
        try:
            return Dirty(name.lower())
        except ValueError:
            return Dirty.COERCE_OR_REJECT if self._guessing else Dirty.REJECT

    def admit(self, document: Document, action: Action, *, exists: bool, dirty: Dirty) -> None:
        """Hold *document* against the schema: values are coerced, dropped or refused, in place,
        and fields found in it join the schema. Raises Refusal; then they have joined already, as
        on the server.
        """
        self.fields += self._detect(document, dirty)
        flat = nesting.Flat()
        if self.nested_fields:
            nested = nesting.tops(self.searched.values())
            flat = nesting.flatten(document, nested, exists=exists)
            known = self.searched
            self.fields += [each for name, each in flat.fields.items() if name not in known]
        whole = {**flat.values, **document}
        validate(
            whole,
            self.searched.values(),
            default_sorting_field=self.default_sorting_field,
            action=action,
            exists=exists,
            dirty=dirty,
        )
        kept = {name: value for name, value in whole.items() if name in document}
        document.clear()
        document.update(kept)

    def _detect(self, document: Document, dirty: Dirty) -> list[Field]:
        """The fields that *document* adds where the schema leaves it to documents."""
        found: list[Field] = []
        guessing, known = self._guessing, self.searched
        for name, value in list(document.items()):
            if name == "id" or name in known:
                continue
            rule = next((g for g in guessing if g.name == FALLBACK or g.matches(name)), None)
            if rule is None or not rule.index:
                continue
            kind = type_of(value)
            if rule.type in ("auto", "string*") and kind is None:
                if value is None or (value != [] and dirty.drops):
                    del document[name]
                elif value != []:
                    raise Refusal(400, f"Type of field `{name}` is invalid.")
                continue
            if rule.type == "string*":
                kind = "string[]" if isinstance(value, list) else "string"
            elif rule.type != "auto":
                kind = rule.type
            if kind is None or (kind.startswith("object") and not self.nested_fields):
                continue
            found.append(replace(rule.found(name, kind), nested=kind.startswith("object")))
        return found

    def altered(self, changes: Json, documents: Iterable[Document]) -> Self:
        """The schema that PATCH makes of this one, if *documents* fit it. Raises Refusal."""
        if not isinstance(changes, list) or not changes:
            raise Refusal(400, _ALTER_FORMAT)
        for change in changes:
            if not isinstance(change, dict) or not isinstance(change.get("name"), str):
                raise Refusal(400, _ALTER_FORMAT)
            if change["name"] == "id":
                raise Refusal(400, "Field `id` cannot be altered.")
        fields = list(self.fields)
        for change in sorted(changes, key=lambda each: "drop" not in each):
            name = change["name"]
            known = any(each.name == name for each in fields)
            if "drop" in change:
                if change["drop"] is not True:
                    raise Refusal(400, f"Field `{name}` must have a drop value of `true`.")
                if not known and name != FALLBACK:
                    raise Refusal(400, f"Field `{name}` is not part of collection schema.")
                fields = [each for each in fields if not self._falls(each, name)]
            elif known:
                raise Refusal(400, f"Field `{name}`{_ALREADY}")
            else:
                added = Field.from_json(change, nested_fields=self.nested_fields)
                added.check("")
                fields.append(added)
        schema = replace(self, fields=fields)
        for document in documents:
            schema._accept(document)
        return schema

    def _falls(self, each: Field, dropped: str) -> bool:
        """Whether a field goes when *dropped* does: itself, what lies below it if it is an object,
        and what documents added by it.
        """
        rules = [rule for rule in self._guessing if rule.dynamic and rule.name == dropped]
        return (
            each.name == dropped
            or (each.nested and each.name.startswith(f"{dropped}."))
            or any(rule.matches(each.name) for rule in rules)
        )

    def _accept(self, document: Document) -> None:
        try:
            self.admit(document, Action.CREATE, exists=False, dirty=Dirty.COERCE_OR_REJECT)
        except Refusal as error:
            raise Refusal(error.code, _incompatible(error.message)) from error

    def to_json(self, documents: int) -> dict[str, Any]:
        """A collection's summary (collection.cpp, get_summary_json)."""
        json: dict[str, Any] = {
            "name": self.name,
            "num_documents": documents,
            "created_at": self.created_at,
            "enable_nested_fields": self.nested_fields,
            "token_separators": list(self.token_separators),
            "symbols_to_index": list(self.symbols_to_index),
            "synonym_sets": [],
            "curation_sets": [],
            "fields": [each.to_json() for each in self.fields],
            "default_sorting_field": self.default_sorting_field,
        }
        return json | {"metadata": self.metadata} if self.metadata else json


def _characters(json: Mapping[str, Json], name: str) -> tuple[str, ...]:
    given = json.get(name, [])
    if not isinstance(given, list) or any(not isinstance(c, str) or len(c) != 1 for c in given):
        raise Refusal(400, f"`{name}` should be an array of character symbols.")
    return tuple(given)


def _incompatible(message: str) -> str:
    """Why stored documents don't fit, as PATCH words it."""
    if "but is not found in the document." in message:
        return (
            f"{message.removesuffix('.')}s already present in the collection."
            " If you still want to add this field, set it as `optional: true`."
        )
    before, must_be, after = message.partition("must be")
    if must_be:
        before = before[0].lower() + before[1:].strip()
        return f"{_INCOMPATIBLE} Existing data for {before} cannot be coerced into {after.strip()}"
    return f"{_INCOMPATIBLE} error: {message}"
