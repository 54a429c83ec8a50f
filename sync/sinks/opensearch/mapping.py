"""OpenSearch's mapping for the models that feed one alias: explicit types, nothing dynamic."""

from collections.abc import Iterable
from typing import Any, Final

from sync.errors import RegistryError
from sync.fields import Kind, fields
from sync.model import Model

_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    "text": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}},
    # Lucene refuses a term over 32,766 bytes, and with it the document: 8,191 characters fit.
    "keyword": {"type": "keyword", "ignore_above": 8191},
    # `_source` keeps every digit; a search compares doubles.
    "number": {"type": "double"},
    "integer": {"type": "long"},
    "boolean": {"type": "boolean"},
    "timestamp": {"type": "date", "format": "strict_date_optional_time_nanos"},
    "object": {"type": "flat_object"},
}


def index_body(models: Iterable[type[Model]]) -> dict[str, Any]:
    """Settings and mappings of the index behind an alias.

    Raises RegistryError where two models of the alias give one field different types.
    """
    properties: dict[str, Any] = {}
    for model in models:
        for name, mapping in _properties(model).items():
            if properties.setdefault(name, mapping) != mapping:
                raise RegistryError(f"{model.__name__}.{name}: another model of the alias differs")
    return {
        "settings": {"number_of_shards": 1, "auto_expand_replicas": "0-1"},
        "mappings": {"dynamic": "strict", "properties": properties},
    }


def _properties(model: type[Model]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(model):
        if field.nested is not None:
            found[field.name] = {"dynamic": "strict", "properties": _properties(field.nested)}
        elif field.kind is not None:
            found[field.name] = _TYPES[field.kind]
    return found
