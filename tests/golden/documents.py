"""What the service makes of items: documents, ids, versions, counters, default images."""

from typing import Final

from tests.golden.aws import CONTRIBUTIONS, LANES, client, items_of
from tests.golden.plain import Json, short
from tests.golden.samples import C172, COMPOSITE, ENTITY, ITEMS, KEYS, MOMENTS, gone, record
from tests.golden.subjects import World, a_world, ops_of
from tests.records import CORE, core_keys, stream_record

HOW: Final = ("INSERT", "MODIFY", "REMOVE")


def documents() -> Json:
    """The ops of each sink for an item of each model: inserted, unchanged, removed."""
    asked = [(of, how) for of in ITEMS for how in HOW]
    recorded = ops_of(record(of, n, how) for n, (of, how) in enumerate(asked))
    found: Json = {of: {} for of in ITEMS}
    for (of, how), ops in zip(asked, recorded, strict=True):
        found[of][how] = ops
    return found


def ids() -> Json:
    """The document id of each key; the version of each time and sequence number."""
    documents, versions = [], []
    with a_world() as w:
        for key in KEYS:
            w.stream(gone(key, 1))
            documents.append({"key": key, "id": _deleted(w)["_id"]})
        for pk, sk in COMPOSITE:
            w.stream(stream_record(core_keys(pk, sk), None, number=1))
            documents.append({"key": [pk, sk], "id": _deleted(w)["_id"]})
        for created_s, number in MOMENTS:
            one = gone({"S": "p"}, 1, created_s=created_s)
            one["dynamodb"]["SequenceNumber"] = number
            w.stream(one)
            version = _deleted(w)["version"]
            versions.append({"created_s": created_s, "number": number, "version": version})
    return {"documents": list(map(short, documents)), "versions": versions}


def _deleted(w: World) -> Json:
    """The last line of the last bulk request, which is a delete."""
    return w.search.take()[-1]["lines"][-1]["delete"]


def requests() -> Json:
    """Requests to OpenSearch and Typesense, for documents and for creating indexes."""
    found = {}
    with a_world() as w:
        for how in ("INSERT", "REMOVE"):
            w.stream(*(record(of, n, how) for n, of in enumerate(ITEMS)))
            found[f"{how}, opensearch"] = w.search.take()
            w.receive(LANES, *(sent["body"] for sent in w.aws.sent(LANES)))
            found[f"{how}, typesense"] = w.search.take()
        w.search.aliases = ()
        w.call("mappings apply")
        found["mappings apply"] = list(map(_unmapped, w.search.take()))
    return short(found)


def _unmapped(request: Json) -> Json:
    """*request* without the content of the files in mappings/."""
    for body in request.get("lines", ()):
        for name in {"mappings", "fields"} & body.keys():
            body[name] = "<as mappings/ has it>"
    return request


# ── Derived rows ──────────────────────────────────────────────────────────────────────────────────

Change = tuple[Json, Json]  # keys, and what the item has besides; None: it is gone


def _link(n: int, new: Json) -> Change:
    return core_keys("FAA#LINKS", f"MFR_MDL_CODE#05609#SN#{n}"), new


def _image(entity_id: str, n: int, *, there: bool = True) -> Change:
    keys = core_keys(f"IMAGES#ORG#SYSTEM#ENTITY#REGISTRATION#ID#{entity_id}", f"IMG#{n}")
    return keys, {**ENTITY, "entity_id": {"S": entity_id}} if there else None


C182: Final = {**C172, "model": {"S": "182"}}
UNLINKED: Final = {**C172, "model": {"NULL": True}}
DERIVED: Final = {
    "links": [_link(1, C172), _link(2, C172), _link(3, C182), _link(4, C182), _link(5, UNLINKED)],
    "links that move and go": [_link(2, C182), _link(3, None), _link(4, UNLINKED)],
    "images": [_image("N1", 1), _image("N1", 2), _image("N2#x", 1), _image("N3", 1)],
    "images that go": [_image("N1", 1, there=False), _image("N3", 1, there=False)],
}


def derived() -> Json:
    """The rows that the service writes: contributions, counters, default images."""
    found = {}
    with a_world() as w:
        before: list[Json] = []
        for name, changes in DERIVED.items():
            for keys, new in changes:
                _change(w, keys, new)
            now = [*items_of(CONTRIBUTIONS), *filter(_is_ours, items_of(CORE))]
            found[name] = {
                "new": [row for row in now if row not in before],
                "gone": [row for row in before if row not in now],
            }
            before = now
    return found


def _is_ours(row: Json) -> bool:
    """Whether the service, not an application, writes *row* of the core table."""
    return "FAA#LINKS" not in row["PK"]["S"] and "IMG#" not in row["SK"]["S"]


def _change(w: World, keys: Json, new: Json) -> None:
    if new is None:
        client("dynamodb").delete_item(TableName=CORE, Key=keys)
    else:
        w.put(CORE, {**keys, **new})
    w.clock.now += 1
    w.stream(stream_record(keys, new, number=1, created_s=int(w.clock.now)))
