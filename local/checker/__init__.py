"""Compares every item of the tables with what was made of it. Shares no code with `sync/`.

The promises of the service (docs/requirements.md, docs/guarantees.md) are implemented here a second
time. A mistake in the codec, the ids or the versions can't hide in code that both sides share.
Values are decoded by boto3's own TypeDeserializer and by `json` with exact numbers. Servers are
read with the standard library.

values       items as values, and their differences from documents
expectation  the document that an item should have, and its id
mirror       the same for an item of a mirrored table
opensearch   reads the documents in OpenSearch
typesense    reads the documents in Typesense
report       compares items with documents
derived      compares counters with links, and default images with images
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
from local.checker.mirror import Mirrored, MirrorExpectation
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
    "MirrorExpectation",
    "Mirrored",
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
