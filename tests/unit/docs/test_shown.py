"""What the docs show works."""

import json
from pathlib import Path

from tests.copies import copy_to, python
from tests.records import core_keys, stream_record
from tests.unit.docs.pages import shown

RUN = """
import json, sys
import handler
from sync.sinks.opensearch import OpenSearch
from sync.writing.op import Done, Outcome
from tests.doubles.wiring import Context

written = []
def write(self, ops, deadline):  # no server here: the contract suite has one
    written.extend([op.target, op.id, op.body.decode()] for op in ops)
    return [Outcome(op, Done.WRITTEN) for op in ops]
OpenSearch.write = write
answer = handler.handle(json.load(sys.stdin), Context())
print(json.dumps([answer, written]))
"""


def test_the_readmes_model_is_all_it_takes(tmp_path: Path) -> None:
    """The block is put where it says, its mapping generated, and a record becomes its document."""
    copy_to(tmp_path)
    path = "sync/models/airport.py"
    (tmp_path / path).write_text(shown()[path])
    made = python(tmp_path, "-m", "sync", "mappings", "write")
    assert made == "wrote opensearch/airports.json\n"
    put = stream_record(
        core_keys("AIRPORTS", "IATA#OSL"),
        {"name": {"S": "Gardermoen"}, "city": {"S": "Oslo"}, "elevation_ft": {"N": "681"}},
    )
    said = python(tmp_path, "-c", RUN, given=json.dumps({"Records": [put]})).splitlines()[-1]
    answer, ((target, document_id, body),) = json.loads(said)
    assert answer == {"batchItemFailures": []}
    assert (target, document_id) == ("airports", "AIRPORTS|IATA%23OSL")
    assert json.loads(body) == {"name": "Gardermoen", "city": "Oslo", "elevation_ft": 681}


SINK = """
import json, sqlite3, sys
import handler
from tests.doubles.wiring import Context

answer = handler.handle(json.load(sys.stdin), Context())
rows = sqlite3.connect("airports.db").execute("SELECT target, id, body FROM documents").fetchall()
print(json.dumps([answer, rows]))
"""


def test_the_sink_shown_is_all_it_takes(tmp_path: Path) -> None:
    """The service takes it as it stands, and a model feeds it by naming it."""
    copy_to(tmp_path)
    (tmp_path / "sync/sinks/sqlite.py").write_text(shown()["sync/sinks/sqlite.py"])
    model = shown()["sync/models/airport.py"].replace("OpenSearch", "Sqlite")
    (tmp_path / "sync/models/airport.py").write_text(model.replace("opensearch", "sqlite"))
    put = stream_record(
        core_keys("AIRPORTS", "IATA#OSL"), {"name": {"S": "Gardermoen"}, "city": {"S": "Oslo"}}
    )
    code = f"import os; os.environ['SQLITE_PATH'] = 'airports.db'{SINK}"
    answer, ((target, document_id, body),) = json.loads(
        python(tmp_path, "-c", code, given=json.dumps({"Records": [put]})).splitlines()[-1]
    )
    assert answer == {"batchItemFailures": []}
    assert (target, document_id) == ("airports", "AIRPORTS|IATA%23OSL")
    assert json.loads(body) == {"name": "Gardermoen", "city": "Oslo"}
