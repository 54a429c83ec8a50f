"""What the models of the core table make of stream records, by way of registry and change."""

import json
from typing import Any, Final, NamedTuple

from sync import models
from sync.model.change import Change
from sync.model.registry import Registry
from sync.stream.record import read_record
from sync.writing.ids import document_id
from tests.records import CORE, Image, core_keys, stream_record
from tests.settings import TABLES

REGISTRY: Final = Registry(models.load(), TABLES)
OF_SYSTEM: Final = "IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#N1"
TUPLE: Final = ("type_designator", "manufacturer", "model")


class Asked(NamedTuple):
    """An op of a plan, as a test compares it."""

    sink: str
    target: str
    id: str
    body: Any  # None: a delete


def model_of(pk: str, sk: str, table: str = CORE) -> str | None:
    """The model of the item at these keys."""
    pattern = REGISTRY.match(table, core_keys(pk, sk))
    return pattern.model.__name__ if pattern else None


def change_of(record: Any) -> Change[Any]:
    found = read_record(record)
    pattern = REGISTRY.match(found.source.table, found.source.keys)
    assert pattern, record
    return Change(
        pattern.model,
        found.source,
        document_id(found.source.keys, pattern.names),
        found.version,
        new_image=found.new_image,
        old_image=found.old_image,
    )


def planned(record: Any) -> list[Asked]:
    """The ops that *record* asks for."""
    change = change_of(record)
    ops = list(change.model.plan(change))
    assert all(op.source == change.source and op.version == change.version for op in ops)
    return [
        Asked(op.sink, op.target, op.id, None if op.body is None else json.loads(op.body))
        for op in ops
    ]


def texts(**values: str) -> Image:
    return {name: {"S": value} for name, value in values.items()}


def image(pk: str, **more: Any) -> Image:
    """An image row's attributes, with the ids that its hash key names."""
    _, _, org, _, kind, _, entity = pk.split("#", 6)
    return {**texts(org_id=org, entity_type=kind, entity_id=entity), **more}


def link_keys(n: int) -> Image:
    return core_keys("FAA#LINKS", f"MFR_MDL_CODE#05609{n}#SN#{n}")


def link_record(n: int, what: Image | None, **options: Any) -> Any:
    return stream_record(link_keys(n), what, **options)
