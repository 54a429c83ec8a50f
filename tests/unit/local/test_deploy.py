"""What is checked before anything is deployed."""

from pathlib import Path

import pytest

from local.deploy import check_node
from local.errors import LocalError
from tests.unit.local.programs import program


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (None, "Node 20 or newer is needed, and there is none: .*'node'"),
        ("v18.20.4", "Node 20 or newer is needed, and `node` is v18.20.4"),
        ("", "Node 20 or newer is needed, and `node` is none"),
    ],
)
def test_a_node_that_does_not_do_is_told(tmp_path: Path, says: str | None, why: str) -> None:
    """Before anything is downloaded."""
    if says is not None:
        program(tmp_path / "node", f"echo {says}")
    with pytest.raises(LocalError, match=why):
        check_node({"PATH": str(tmp_path)})
