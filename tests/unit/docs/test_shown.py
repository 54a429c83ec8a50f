"""What the docs show works: each file is added to a copy, and records become what they say."""

import json
import sqlite3
from pathlib import Path
from typing import Any, Final

import pytest

from tests.copies import add, copy_to, python, serve
from tests.records import CORE, core_keys, stream_record
from tests.settings import QUEUES
from tests.unit.docs.pages import shown

DONE: Final[dict[str, list[Any]]] = {"batchItemFailures": []}
AIRPORT: Final = stream_record(
    core_keys("AIRPORTS", "IATA#OSL"),
    {"name": {"S": "Gardermoen"}, "city": {"S": "Oslo"}, "elevation_ft": {"N": "681"}},
)
DOCUMENT: Final = {"name": "Gardermoen", "city": "Oslo", "elevation_ft": 681}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    copy_to(tmp_path)
    return tmp_path


def add_shown(copy: Path, path: str) -> None:
    """Put a block of the docs where its first line says."""
    add(copy, path, shown()[path])


def add_airport_into(copy: Path, sink: str) -> None:
    """Put the README's model into *copy*, and let it feed *sink* instead of OpenSearch."""
    path = "sync/models/airport.py"
    model = shown()[path].replace("OpenSearch", sink).replace("opensearch", sink.lower())
    add(copy, path, model)


def test_the_readmes_model_is_all_it_takes(copy: Path) -> None:
    """Its mapping is generated, and a record becomes its document."""
    add_shown(copy, "sync/models/airport.py")
    made = python(copy, "-m", "sync", "mappings", "write")
    assert made == "wrote opensearch/airports.json\n"
    (put,) = serve(copy, [AIRPORT])
    ((target, document_id, body),) = put["documents"]
    assert put["answer"] == DONE
    assert (target, document_id) == ("airports", "AIRPORTS|IATA%23OSL")
    assert json.loads(body) == DOCUMENT


def test_the_sink_shown_is_all_it_takes(copy: Path) -> None:
    """A model feeds it by naming it."""
    add_shown(copy, "sync/sinks/sqlite.py")
    add_airport_into(copy, "Sqlite")
    (put,) = serve(copy, [AIRPORT], env={"SQLITE_PATH": "airports.db"})
    rows = sqlite3.connect(copy / "airports.db").execute("SELECT target, id, body FROM documents")
    ((target, document_id, body),) = rows.fetchall()
    assert put["answer"] == DONE
    assert (target, document_id) == ("airports", "AIRPORTS|IATA%23OSL")
    assert json.loads(body) == DOCUMENT


def test_the_sink_with_lanes_is_all_it_takes(copy: Path) -> None:
    """The stream sends to its queue; what the queue delivers is written, and removed."""
    add_shown(copy, "sync/sinks/files.py")
    add_airport_into(copy, "Files")
    env = {
        "FILES_FOLDER": "files",
        "FILES_QUEUE_URL": f"{QUEUES}/files.fifo",
        "FILES_DEAD_LETTER_QUEUE_URL": f"{QUEUES}/files-dead-letters.fifo",
    }
    path = copy / "files" / "airports" / "AIRPORTS|IATA%23OSL.json"
    (sent,) = serve(copy, [AIRPORT], env=env)
    assert sent["answer"] == DONE
    assert not path.exists()

    _, delivered = serve(copy, [AIRPORT], "FILES_QUEUE_URL", env=env)
    assert (delivered["answer"], len(delivered["lanes"])) == (DONE, 1)
    assert json.loads(path.read_text()) == DOCUMENT

    gone = stream_record(core_keys("AIRPORTS", "IATA#OSL"))
    _, delivered = serve(copy, [gone], "FILES_QUEUE_URL", env=env)
    assert delivered["answer"] == DONE
    assert not path.exists()


def aircraft(registration: str, type_designator: str | None) -> dict[str, Any]:
    image = {"airline": {"S": "SAS"}}
    if type_designator is not None:
        image["type_designator"] = {"S": type_designator}
    return stream_record(core_keys("FLEETS", f"REGISTRATION#{registration}"), image)


def test_the_model_with_counters_is_all_it_takes(copy: Path) -> None:
    """Counters have the rows that the page describes; one of 0 is deleted."""
    add_shown(copy, "sync/models/core/fleet_aircraft.py")
    fleet = [aircraft("SE-ROA", "A320"), aircraft("SE-ROB", "A320"), aircraft("SE-ROC", None)]
    other = [aircraft("SE-ROA", "A321"), aircraft("SE-ROB", None)]
    counted, moved = serve(copy, fleet, other)

    def counter(type_designator: str, count: int) -> Any:
        return {
            **core_keys("FLEETS#TYPES", f"TYPE#SAS#{type_designator}"),
            "airline": {"S": "SAS"},
            "type_designator": {"S": type_designator},
            "count": {"N": str(count)},
        }

    def counters(step: Any) -> list[Any]:
        return [row for row in step["rows"][CORE] if row["PK"] == {"S": "FLEETS#TYPES"}]

    assert (counted["answer"], moved["answer"]) == (DONE, DONE)
    assert counters(counted) == [counter("A320", 2)]
    assert counters(moved) == [counter("A321", 1)]


def test_the_model_of_images_is_all_it_takes(copy: Path) -> None:
    """A default image, where a dead letter was before."""
    keys = core_keys("IMAGES#ORG#SYSTEM#ENTITY#AIRPORT#ID#OSL", "IMG#1")
    names = {"org_id": "SYSTEM", "entity_type": "AIRPORT", "entity_id": "OSL"}
    image = stream_record(keys, {name: {"S": value} for name, value in names.items()})
    (before,) = serve(copy, [image])
    assert [letter["error"]["message"] for letter in before["letters"]] == [
        "no model is for images of the entity type 'AIRPORT'"
    ]

    add_shown(copy, "sync/models/core/airport_image.py")
    (put,) = serve(copy, [image])
    default = {"PK": keys["PK"], "SK": {"S": "DEFAULT"}}
    assert put["letters"] == []
    assert [row["image"] for row in put["rows"][CORE] if default.items() <= row.items()] == [
        {"S": "IMG#1"}
    ]
