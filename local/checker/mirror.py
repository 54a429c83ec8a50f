"""The document that an item of a mirrored table should have: a table without models.

Every attribute is in it. A list of mixed types is a list of strings there, and names that are
OpenSearch's own have one more underscore (docs/mirroring.md).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from local.checker.expectation import Ref, document_id
from local.checker.values import JsonText, Members

_OF_OPENSEARCH: Final = {
    *("_id", "_index", "_source", "_routing", "_type", "_version", "_seq_no", "_primary_term"),
    *("_ignored", "_field_names", "_nested_path", "_doc_count", "_size", "_tier"),
    "_data_stream_timestamp",
}


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A mirrored table: its full name, and its key attributes, hash key first."""

    table: str
    keys: tuple[str, ...]

    @property
    def alias(self) -> str:
        lower = self.table.lower()
        return f"table{lower}" if lower.startswith(("_", "-", ".")) else lower


class MirrorExpectation:
    """The documents that OpenSearch should have of mirrored *tables*, by their short names."""

    def __init__(self, tables: Mapping[str, Mirrored]) -> None:
        self._tables = tables

    @property
    def aliases(self) -> list[str]:
        return [mirrored.alias for mirrored in self._tables.values()]

    def of(self, table: str, item: Mapping[str, Any]) -> tuple[Ref, dict[str, Any]] | None:
        """The address and the document of *item* (see item_values); None if it has none."""
        mirrored = self._tables.get(table)
        if mirrored is None:
            return None
        ref = Ref(mirrored.alias, document_id(item[name] for name in mirrored.keys))
        return ref, {_field(name): _value(value) for name, value in item.items()}


def _field(name: str) -> str:
    words = name.lstrip("_").split(".")[0]
    return f"_{name}" if name.startswith("_") and f"_{words}" in _OF_OPENSEARCH else name


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        if len({_kind(leaf) for leaf in _leaves(value)} - {None}) > 1:
            return _strings(value)
        return [_value(inner) for inner in value]
    return value


def _leaves(value: Any) -> Iterator[Any]:
    """What is in a list, in its lists and in its sets."""
    if isinstance(value, list | Members):
        for inner in value if isinstance(value, list) else value.values:
            yield from _leaves(inner)
    else:
        yield value


def _kind(value: Any) -> str | None:
    if value is None:
        return None
    return {bool: "boolean", Decimal: "number", str: "string", dict: "map"}[type(value)]


def _strings(value: Any) -> Any:
    if isinstance(value, list):
        return [_strings(inner) for inner in value]
    if isinstance(value, Members):
        return Members(tuple(_strings(member) for member in value.values))
    if isinstance(value, dict):
        return JsonText(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return _decimal(value)
    return value


def _decimal(number: Decimal) -> str:
    """*number* without exponent and without needless zeros."""
    if not number:
        return "0"
    digits = format(number, "f")
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
