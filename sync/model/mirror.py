"""Mirrors: tables without models, whose items become documents as they are.

A document has every attribute of its item, with these differences:

    a list of mixed types   becomes a list of strings: [1, "foo", true] → ["1", "foo", "true"]
    a name of the server's  has one more underscore, if the document itself has it: _id → __id

A sink infers the types of attributes, and a list has one type. null has none, so it stays null.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Self

from pydantic import ConfigDict

from sync.aws.attributes import dumps
from sync.errors import ConfigError
from sync.model.model import Model, Route
from sync.writing.sink import Sink

# The metadata fields of OpenSearch 1 to 3 and of its plugin mapper-size. Version 3.6 refuses most
# of them in a document, and takes `_doc_count` for how many documents this one stands for.
_METADATA: Final = re.compile(
    r"_+(data_stream_timestamp|doc_count|field_names|id|ignored|index|nested_path|primary_term"
    r"|routing|seq_no|size|source|tier|type|version)(\..*)?",
    re.DOTALL,
)
_LONGEST_INDEX: Final = 218  # bytes; OpenSearch allows 255, with a stage's prefix and a number
_ITEM: Final = "item"
_KINDS: Final[Mapping[type, str]] = {
    str: "text",
    int: "number",
    float: "number",
    Decimal: "number",
    bool: "boolean",
    dict: "map",
}


class Mirror(Model):
    """An item of any shape. Not validated: its attributes may have any name and type."""

    model_config = ConfigDict(extra="allow")

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        mirror = cls()
        mirror.__dict__[_ITEM] = values  # neither a field nor an extra: Pydantic takes its time
        return mirror

    def document(self) -> bytes:
        document: dict[str, Any] = {}
        for name, value in self.__dict__[_ITEM].items():
            kind = value.__class__
            document[name if name[:1] != "_" else _field(name)] = (
                _value(value) if kind is list or kind is dict else value
            )
        return dumps(document)


def among(models: Iterable[type[Model]]) -> list[type[Mirror]]:
    """Those of *models* that mirror a table."""
    return [model for model in models if issubclass(model, Mirror)]


def mirrors(
    roles: Mapping[str, Collection[str]],
    tables: Mapping[str, str],
    sink: type[Sink],
    models: Iterable[type[Model]],
) -> list[type[Mirror]]:
    """A model for each of *roles*, whose values are key attributes; it feeds *sink*.

    *tables*: the full name of each table, by role. Raises ConfigError if a table has *models* too,
    or if its target is that of a model or of another mirror.
    """
    owners: dict[str, str] = {}  # of targets
    modelled = set()
    for model in models:
        if model.route is not None and model.route.table in tables:
            modelled.add(tables[model.route.table])
            if sink in model.route.into:
                owners[model.route.into[sink]] = model.__name__
    made = []
    for role, names in roles.items():
        table = tables[role]
        if table in modelled:
            raise ConfigError(f"MIRRORS names {role}, but {table} has models: only one is possible")
        index = index_of(table)
        if index in owners:
            raise ConfigError(
                f"MIRRORS names {role}, but {table} and {owners[index]} both want {index}"
            )
        owners[index] = table
        mirror: type[Mirror] = type(f"the mirror of {role}", (Mirror,), {"__module__": __name__})
        mirror.route = Route(role, dict.fromkeys(names, ".+"), {sink: index})
        made.append(mirror)
    return made


def index_of(table: str) -> str:
    """The name of what *table* is mirrored to: its own in lower case.

    A table's name may begin with a character that an index's may not (OpenSearch: `_`, `-`), or
    that hides an index (`.`): then "table" stands before it. Raises ConfigError if it is too long.
    """
    name = table.lower()
    name = name if name[0].isalnum() else f"table{name}"
    if len(name) > _LONGEST_INDEX:  # names of tables are ASCII
        raise ConfigError(f"MIRRORS: {name} is no name for an index: over {_LONGEST_INDEX} bytes")
    return name


def _field(name: str) -> str:
    """The name in a document of the attribute *name*. Different names stay different."""
    return f"_{name}" if _METADATA.fullmatch(name) else name


def _value(value: Any) -> Any:
    if value.__class__ is dict:
        return {name: _value(inner) for name, inner in value.items()}
    if value.__class__ is list:
        if len(set(_kinds(value))) > 1:
            return _texts(value)
        return [_value(inner) for inner in value]
    return value


def _kinds(values: list[Any]) -> Iterator[str]:
    """The types in a list and the lists in it, which a sink sees as one list; none for null."""
    for value in values:
        if value.__class__ is list:
            yield from _kinds(value)
        elif value is not None:
            yield _KINDS[value.__class__]


def _texts(values: list[Any]) -> list[Any]:
    """*values* with strings in place of all but lists and null."""
    return [
        _texts(value) if value.__class__ is list else None if value is None else _text(value)
        for value in values
    ]


def _text(value: Any) -> str:
    """Numbers in plain decimal, as in document ids; maps as JSON with sorted names."""
    if isinstance(value, str):
        return value
    if isinstance(value, float | Decimal):  # never whole: the codec makes an int of these
        return f"{Decimal(str(value)):f}".rstrip("0")
    return dumps(_sorted(value)).decode()


def _sorted(value: Any) -> Any:
    """*value* with the names of maps sorted: DynamoDB answers with them in any order."""
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_sorted(inner) for inner in value]
    return value
