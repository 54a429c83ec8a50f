"""OpenSearch's mapping for the models that feed one alias: explicit types, nothing dynamic.

Only an open model has dynamic mappings, for attributes that are not its fields: a dynamic template
for each JSON type. OpenSearch's own guess, long for a first 1, would refuse a later 1.5.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sync.errors import RegistryError
from sync.writing.schema import Kind, Schema

# How long OpenSearch keeps the version of a deleted document, which makes a late older put stale.
# Its default, a minute, is shorter than a request may last (sync/runtime/waits.py).
GC_DELETES_S: Final = 900

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
_TEMPLATES: Final = [
    {"numbers": {"match_mapping_type": "long", "mapping": _TYPES["number"]}},
    {"fractions": {"match_mapping_type": "double", "mapping": _TYPES["number"]}},
    {"texts": {"match_mapping_type": "string", "mapping": _TYPES["text"]}},
]
_LIMITS: Final = {
    "mapping.total_fields.limit": 5000,  # OpenSearch's default is 1000, and a text takes two
    "mapping.depth.limit": 40,  # 20; DynamoDB nests 32 levels deep, and names with dots add some
}


def index_body(documents: Sequence[Schema]) -> dict[str, Any]:
    """Settings and mappings of the index behind an alias that takes *documents*.

    Raises RegistryError if two of them give one field different types.
    """
    properties: dict[str, Any] = {}
    for schema in documents:
        for name, mapping in _properties(schema).items():
            if properties.setdefault(name, mapping) != mapping:
                raise RegistryError(f"{schema.name}.{name}: another model of the alias differs")
    mappings: dict[str, Any] = {"dynamic": _dynamic(documents), "properties": properties}
    settings: dict[str, Any] = {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "gc_deletes": f"{GC_DELETES_S}s",
    }
    if any(map(_opens, documents)):  # later texts of a date-like field may be no dates
        mappings |= {"date_detection": False, "dynamic_templates": _TEMPLATES}
        settings |= _LIMITS
    return {"settings": settings, "mappings": mappings}


def _dynamic(documents: Iterable[Schema]) -> str:
    return "true" if any(schema.is_open for schema in documents) else "strict"


def _opens(schema: Schema) -> bool:
    """Whether *schema*, or one nested in it, is open."""
    nested = (field.nested for field in schema.fields if field.nested is not None)
    return schema.is_open or any(map(_opens, nested))


def _properties(schema: Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in schema.fields:
        if field.nested is not None:
            found[field.name] = {
                "dynamic": _dynamic([field.nested]),
                "properties": _properties(field.nested),
            }
        elif field.kind is not None:
            found[field.name] = _TYPES[field.kind]
    return found


def unlike(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The fields of the mappings *wanted* that have another type in the mappings *there*, by their
    paths, sorted. OpenSearch changes no type of a field that it has."""
    known = there.get("properties", {})
    found = []
    for name, of in wanted["properties"].items():
        if name not in known:
            continue
        if "properties" in of and "properties" in known[name]:
            found += [f"{name}.{inner}" for inner in unlike(known[name], of)]
        elif known[name] != of:
            found.append(name)
    return sorted(found)


def added(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What the mappings *there* lack of *wanted*, as a request that adds it; empty if nothing.

    They may become open to unknown fields, never strict: others may write to an index as well.
    """
    known = there.get("properties", {})
    fields: dict[str, Any] = {}
    for name, of in wanted["properties"].items():
        if name not in known:
            fields[name] = of
        elif "properties" in of and (inner := added(known[name], of)):
            fields[name] = inner
    opens = there.get("dynamic") == "strict" and wanted.get("dynamic") == "true"
    more = {name: of for name, of in wanted.items() if name != "properties"} if opens else {}
    return {**more, "properties": fields} if fields else more
