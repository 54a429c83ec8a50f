"""A new model is one file, a new sink is one file: both are added to a copy and run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.records import stream_record
from tests.settings import ENV

ROOT = Path(__file__).parents[2]

MODEL = '''
"""Gadgets."""

from sync.model.fields import Number, Text
from sync.model.model import Model, route
from sync.sinks.folder import Folder
from sync.sinks.opensearch import OpenSearch


@route("gadgets-{stage}", maker=r".+", year=r"\\d{4}", into={OpenSearch: "gadgets", Folder: "all"})
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

from sync.runtime.environment import required
from sync.runtime.deadline import Deadline
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

RUN = """
import json, sys
import handler
from sync.sinks.opensearch import OpenSearch
from sync.writing.op import Done, Outcome

class Context:
    aws_request_id = "request"
    def get_remaining_time_in_millis(self): return 60000

seen = []
def write(self, ops, deadline):  # no server here: the contract suite has one
    seen.extend([op.target, op.id] for op in ops)
    return [Outcome(op, Done.WRITTEN) for op in ops]
OpenSearch.write = write
answer = handler.handle(json.load(sys.stdin), Context())
print(json.dumps({"answer": answer, "seen": seen}))
"""


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A copy of the service with a model and a sink more."""
    for name in ("sync", "mappings"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "handler.py", tmp_path)
    (tmp_path / "sync" / "models" / "gadget.py").write_text(MODEL)
    (tmp_path / "sync" / "sinks" / "folder.py").write_text(SINK)
    (tmp_path / "documents").mkdir()
    return tmp_path


def python(service: Path, *arguments: str, given: str = "") -> str:
    env = {**ENV, "FOLDER": str(service / "documents"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=service,
        env=env,
        input=given,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_model_and_a_sink_in_a_file_each_are_all_it_takes(service: Path) -> None:
    """Mappings are generated, and a record reaches both of the model's sinks."""
    assert python(service, "-m", "sync", "mappings", "write") == "wrote opensearch/gadgets.json\n"
    mapping = json.loads((service / "mappings" / "opensearch" / "gadgets.json").read_text())
    assert mapping["mappings"]["properties"]["price"] == {"type": "double"}

    keys = {"year": {"N": "2026"}, "maker": {"S": "Acme Ltd"}}
    image = {"name": {"S": "Lamp"}, "price": {"N": "12.50"}}
    put = stream_record(keys, image, table="gadgets-test")
    answer = json.loads(
        python(service, "-c", RUN, given=json.dumps({"Records": [put]})).splitlines()[-1]
    )
    assert answer == {
        "answer": {"batchItemFailures": []},
        "seen": [["gadgets", "Acme%20Ltd|2026"]],
    }
    document = service / "documents" / "all.Acme%20Ltd|2026"
    assert json.loads(document.read_text()) == {"name": "Lamp", "price": 12.5}

    gone = stream_record(keys, table="gadgets-test")
    python(service, "-c", RUN, given=json.dumps({"Records": [gone]}))
    assert not document.exists()


def test_an_out_of_date_mapping_is_told(service: Path) -> None:
    """The check that CI runs."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        python(service, "-m", "sync", "mappings", "check")
    assert caught.value.returncode == 1
    assert "out of date: opensearch/gadgets.json" in caught.value.stdout
