"""A new model, sink, counter or image type is one file, added to a copy that is else unchanged."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.copies import add, copy_to, python, serve
from tests.records import CORE, core_keys, stream_record
from tests.settings import QUEUES, TABLES

DONE: Final[dict[str, list[Any]]] = {"batchItemFailures": []}

MODEL = '''
"""Gadgets."""

from sync.model import Model, Number, Text, route
from sync.sinks.folder import Folder
from sync.sinks.opensearch import OpenSearch


@route("gadgets", maker=r".+", year=r"\\d{4}", into={OpenSearch: "gadgets", Folder: "all"})
class Gadget(Model):
    """A gadget of a maker's year."""

    name: Text
    price: Number
'''

SINK = '''
"""Documents as files of a folder."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from sync.runtime.deadline import Deadline
from sync.runtime.environment import required
from sync.writing.op import Done, Op, Outcome


class Folder:
    name: ClassVar[str] = "folder"
    effect_s = 0.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        return cls(Path(required(env, "FOLDER")))

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        for op in ops:
            path = self.folder / f"{op.target}.{op.id}"
            path.unlink(missing_ok=True) if op.body is None else path.write_bytes(op.body)
            yield Outcome(op, Done.WRITTEN)
'''

# The same sink behind a queue, with a lane for each maker.
QUEUED_SINK = SINK.replace(
    "class Folder:",
    """
from sync.writing.lane import Lanes


class Folder:
    lanes = Lanes(
        "FOLDER_QUEUE_URL",
        "FOLDER_DEAD_LETTER_QUEUE_URL",
        lambda op: op.source.keys["maker"]["S"],
    )""",
)

COUNTER = '''
"""Sold gadgets, counted by maker and shop."""

from collections.abc import Iterator
from dataclasses import dataclass

from sync.model import Change, Keyword, Model, Op, route
from sync.sinks.counters import Counted, Counters


@dataclass(frozen=True)
class Sales(Counted, target="sales", partition="GADGETS#SALES", prefix="SHOP"):
    """How many gadgets of a maker a shop has sold."""

    maker: str
    shop: str


@route("core", PK=r"GADGETS#SOLD", SK=r"SERIAL#.+", into={Counters: "sales"})
class SoldGadget(Model):
    """A gadget, once it is sold."""

    maker: Keyword
    shop: Keyword | None = None

    @classmethod
    def plan(cls, change: Change["SoldGadget"]) -> Iterator[Op]:
        sold = change.new
        if sold and sold.shop:
            yield change.put(Counters, "sales", Sales(sold.maker, sold.shop).body())
        else:
            yield change.delete(Counters, "sales")
'''

IMAGES = '''
"""Images of gadgets."""

from sync.model import route
from sync.models.core.entity_image import POINTERS, EntityImage
from sync.sinks.default_image import DefaultImage


@route(
    "core",
    PK=r"IMAGES#ORG#[^#]+#ENTITY#GADGET#ID#.+",
    SK=r"IMG#.*",
    into={DefaultImage: POINTERS},
)
class GadgetImage(EntityImage):
    """An image of a gadget."""
'''


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A copy of the service, and a folder for documents."""
    copy_to(tmp_path)
    (tmp_path / "documents").mkdir()
    return tmp_path


GADGETS = json.dumps({**TABLES, "gadgets": "gadgets-test"})


def gadget(year: str, name: str | None, *, maker: str = "Acme") -> dict[str, Any]:
    """The stream record of a gadget; without a *name* it is gone."""
    keys = {"year": {"N": year}, "maker": {"S": maker}}
    image = None if name is None else {"name": {"S": name}, "price": {"N": "12.50"}}
    return stream_record(keys, image, table="gadgets-test")


def documents(service: Path) -> dict[str, str]:
    """The names of the documents in the folder."""
    return {
        path.name: json.loads(path.read_text())["name"]
        for path in (service / "documents").iterdir()
    }


def test_a_model_and_a_sink(service: Path) -> None:
    """Mappings are generated, and a record reaches both of the model's sinks."""
    add(service, "sync/sinks/folder.py", SINK)
    add(service, "sync/models/gadget.py", MODEL)
    env = {"FOLDER": "documents", "TABLES": GADGETS}
    assert python(service, "-m", "sync", "mappings", "write") == "wrote opensearch/gadgets.json\n"
    mapping = json.loads((service / "mappings" / "opensearch" / "gadgets.json").read_text())
    assert mapping["mappings"]["properties"]["price"] == {"type": "double"}

    (put,) = serve(service, [gadget("2026", "Lamp", maker="Acme Ltd")], env=env)
    ((target, document_id, body),) = put["documents"]
    assert put["answer"] == DONE
    assert (target, document_id) == ("gadgets", "Acme%20Ltd|2026")
    assert json.loads(body) == {"name": "Lamp", "price": 12.5}
    assert documents(service) == {"all.Acme%20Ltd|2026": "Lamp"}

    (gone,) = serve(service, [gadget("2026", None, maker="Acme Ltd")], env=env)
    assert gone["answer"] == DONE
    assert documents(service) == {}


def test_an_out_of_date_mapping_is_told(service: Path) -> None:
    """The check that CI runs."""
    add(service, "sync/sinks/folder.py", SINK)
    add(service, "sync/models/gadget.py", MODEL)
    said = python(service, "-m", "sync", "mappings", "check", code=1)
    assert "out of date: opensearch/gadgets.json" in said


def test_a_sink_behind_a_queue(service: Path) -> None:
    """The stream only sends; the messages, in lanes, are written by the sink in their order."""
    add(service, "sync/sinks/folder.py", QUEUED_SINK)
    add(service, "sync/models/gadget.py", MODEL)
    env = {
        "FOLDER": "documents",
        "TABLES": GADGETS,
        "FOLDER_QUEUE_URL": f"{QUEUES}/folder.fifo",
        "FOLDER_DEAD_LETTER_QUEUE_URL": f"{QUEUES}/folder-dead-letters.fifo",
    }
    first = [gadget("2026", "Lamp"), gadget("2027", "Desk"), gadget("2026", "Vase", maker="Bolt")]
    second = [gadget("2026", "Lamp II"), gadget("2027", None)]
    (sent,) = serve(service, [*first, *second], env=env)
    assert sent["answer"] == DONE
    assert documents(service) == {}

    sent, again, written = serve(service, first, second, "FOLDER_QUEUE_URL", env=env)
    assert [sent["answer"], again["answer"], written["answer"]] == [DONE, DONE, DONE]
    assert sorted(written["lanes"]) == ["Acme", "Acme", "Bolt"]
    assert documents(service) == {"all.Acme|2026": "Lamp II", "all.Bolt|2026": "Vase"}

    serve(service, [gadget("2026", None)], "FOLDER_QUEUE_URL", env=env)
    assert documents(service) == {"all.Bolt|2026": "Vase"}


def sold(serial: int, shop: str | None, **more: Any) -> dict[str, Any]:
    image = {"maker": {"S": "Acme"}, **({"shop": {"S": shop}} if shop else {})}
    return stream_record(core_keys("GADGETS#SOLD", f"SERIAL#{serial}"), image, **more)


def counters(step: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    """What each counter holds: the parts that it counts, and its count."""
    return {
        row["SK"]["S"]: (row["maker"]["S"], row["shop"]["S"], row["count"]["N"])
        for row in step["rows"][CORE]
        if row["PK"]["S"] == "GADGETS#SALES"
    }


def test_a_model_with_counters(service: Path) -> None:
    """Each change counts once, and `recount` knows the new family."""
    add(service, "sync/models/core/sold_gadget.py", COUNTER)
    three = [sold(1, "Oslo"), sold(2, "Oslo"), sold(3, None)]
    gone = stream_record(core_keys("GADGETS#SOLD", "SERIAL#2"))
    recount = {"command": "recount", "cursor": "[1,null]"}
    steps = serve(service, three, three, [sold(1, "Rio, 2")], recount, [gone])
    put, redelivered, moved, checked, removed = steps
    assert [step["letters"] for step in steps] == [[], [], [], [], []]
    assert counters(put) == {"SHOP#Acme#Oslo": ("Acme", "Oslo", "2")}
    assert counters(redelivered) == counters(put)
    assert counters(moved) == {
        "SHOP#Acme#Oslo": ("Acme", "Oslo", "1"),
        "SHOP#Acme#Rio%2C%202": ("Acme", "Rio, 2", "1"),
    }
    assert (checked["answer"]["checked"], checked["answer"]["links"]) == (5, [])
    assert counters(removed) == {"SHOP#Acme#Rio%2C%202": ("Acme", "Rio, 2", "1")}


def image(number: int, *, entity_type: str = "GADGET", is_gone: bool = False) -> dict[str, Any]:
    keys = core_keys(f"IMAGES#ORG#SYSTEM#ENTITY#{entity_type}#ID#lamp", f"IMG#{number}")
    names = {"org_id": "SYSTEM", "entity_type": entity_type, "entity_id": "lamp"}
    values = {name: {"S": value} for name, value in names.items()}
    return stream_record(keys, None if is_gone else values)


def default_images(step: dict[str, Any]) -> dict[str, str]:
    """The image that each row names, by the row's keys."""
    return {
        f"{row['PK']['S']} {row['SK']['S']}": row["image"]["S"]
        for row in step["rows"][CORE]
        if "image" in row
    }


def test_images_of_a_new_entity_type(service: Path) -> None:
    """They were dead letters before; each entity has a default image now."""
    images = [image(1), image(2), image(1, entity_type="GIZMO")]
    (before,) = serve(service, images)
    assert [letter["error"]["message"] for letter in before["letters"]] == [
        f"no model is for images of the entity type '{name}'"
        for name in ("GADGET", "GADGET", "GIZMO")
    ]
    assert default_images(before) == {}

    add(service, "sync/models/core/gadget_image.py", IMAGES)
    put, gone = serve(service, images, [image(2, is_gone=True)])
    assert [letter["error"]["message"] for letter in put["letters"]] == [
        "no model is for images of the entity type 'GIZMO'"
    ]
    rows = (
        "IMAGES#ORG#SYSTEM#ENTITY#GADGET#ID#lamp DEFAULT",
        ("DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#GADGET ID#lamp"),
    )
    assert default_images(put) == dict.fromkeys(rows, "IMG#2")
    assert default_images(gone) == dict.fromkeys(rows, "IMG#1")
