"""Imports within local/ point down only."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

LOCAL = Path(__file__).parents[3] / "local"

# From the top down; a part may import the parts below its own row.
ROWS = (
    {"__main__", "cli", "demo"},
    {"stack"},
    {"servers", "package", "deploy", "outside", "stages"},
    {"downloads"},
    {"checker", "data", "delivery", "locks"},
    {"paths", "errors"},
)
DEPTH = {part: row for row, parts in enumerate(ROWS) for part in parts}


def part_of(path: Path) -> str:
    return path.relative_to(LOCAL).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The parts of local/ that the file at *path* imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("local."))


def above(part: str, others: Iterator[str]) -> set[str]:
    """Those of *others* that *part* must not import."""
    return {other for other in others if other != part and DEPTH[other] <= DEPTH[part]}


FILES = [path for path in sorted(LOCAL.rglob("*.py")) if part_of(path) != "__init__"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(LOCAL).as_posix())
def test_no_part_imports_one_above_it(path: Path) -> None:
    """So the servers can be read without the stack, and the stack without the demo."""
    assert above(part_of(path), imported(path)) == set()


def test_an_import_of_what_is_above_is_noticed(tmp_path: Path) -> None:
    """Also within a function, and of a part in the same row."""
    file = tmp_path / "file.py"
    file.write_text("def f():\n    from local import deploy\n    from local.demo.cli import main\n")
    assert above("servers", imported(file)) == {"deploy", "demo"}
