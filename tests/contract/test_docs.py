"""The sink that docs/adding-a-sink.md shows."""

import re
from pathlib import Path

from tests.copies import copy_to, python
from tests.unit.docs.pages import shown


def test_the_sink_shown_keeps_the_contract(tmp_path: Path) -> None:
    """Both blocks of docs/adding-a-sink.md are put in place, and the contract suite runs on it."""
    copy_to(tmp_path)
    blocks = shown()
    (tmp_path / "sync/sinks/sqlite.py").write_text(blocks["sync/sinks/sqlite.py"])
    with (tmp_path / "tests/contract/sinks.py").open("a") as subjects:
        subjects.write(blocks["tests/contract/sinks.py"])
    suite = ("-m", "pytest", "-q", "-k", "sqlite", "-p", "no:cacheprovider")
    said = python(tmp_path, *suite, "tests/contract/test_sinks.py")
    assert re.search(r"^\d\d+ passed", said.splitlines()[-1])
