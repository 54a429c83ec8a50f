"""Compares every item of the tables with what was made of it. Shares no code with `sync/`.

What the service promises (docs/requirements.md, docs/guarantees.md) is written down here again, so
that a mistake in the codec, in the ids or in the versions can't hide in code that both sides use.
Values come through boto3's own TypeDeserializer and through `json` with exact numbers; servers are
asked by the standard library alone.

values       items as values, and how a document may differ from one
expectation  which document an item should have, and under which id
opensearch   what OpenSearch holds
typesense    what Typesense holds
report       items held against documents
derived      counters and default images held against links and images
"""

from local.checker.derived import CounterReport, ImageReport, check_counters, check_default_images
from local.checker.expectation import (
    PLACES,
    TYPESENSE_MAPPINGS,
    TYPESENSE_PLACES,
    Expectation,
    Place,
    Ref,
    document_id,
)
from local.checker.opensearch import Documents
from local.checker.report import Report, TableItem, check, check_items, compare, read_tables
from local.checker.typesense import Collections
from local.checker.values import (
    Members,
    Unreadable,
    differences,
    exact_json,
    item_values,
    scan,
)

__all__ = [
    "PLACES",
    "TYPESENSE_MAPPINGS",
    "TYPESENSE_PLACES",
    "Collections",
    "CounterReport",
    "Documents",
    "Expectation",
    "ImageReport",
    "Members",
    "Place",
    "Ref",
    "Report",
    "TableItem",
    "Unreadable",
    "check",
    "check_counters",
    "check_default_images",
    "check_items",
    "compare",
    "differences",
    "document_id",
    "exact_json",
    "item_values",
    "read_tables",
    "scan",
]
