"""Imports point one way: each room of sync/ imports from those below it; no files form a circle."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ("errors", "runtime", "aws", "writing", "model", "recovery")
BELOW = {
    "errors": (),
    "runtime": ENGINE[:1],
    "aws": ENGINE[:2],
    "writing": ENGINE[:3],
    "sinks": ENGINE[:4],  # leaves: they know what ops are, and how to reach AWS
    "model": ENGINE[:4],
    "recovery": ENGINE[:5],
    "runs": ENGINE,
    "stream": ENGINE,
    "lanes": ENGINE,
    "verify": ENGINE,
    "deadletters": (*ENGINE, "stream", "lanes"),  # reads what all others leave behind
    "models": ("errors", "aws", "writing", "model", "sinks"),
    "config": ENGINE[:2],
    "service": (*ENGINE, "runs", "stream", "lanes", "verify", "deadletters", "models", "config"),
    "commands": (
        *(*ENGINE, "runs", "stream", "lanes", "verify", "deadletters"),
        *("models", "config", "service", "sinks"),
    ),
    "handler": ("errors", "runtime", "aws", "service", "commands"),
    # What a stage is made of, for deploying; left out of the zip.
    "stages": ("errors", "runtime", "aws", "model", "models"),
    "cli": (*ENGINE, "models", "commands", "service", "stages"),
    "__main__": ("cli",),
}
"""Each room (a file or folder of sync/; the handler stands above it), with those it may import."""

FILES = ["handler.py", *sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("sync/**/*.py"))]
SOURCES = {path: (ROOT / path).read_text() for path in FILES if path != "sync/__init__.py"}


def imported(source: str) -> Iterator[str]:
    """The modules that *source* names anywhere in an import, also within a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str | None:
    """The room of sync/ that *module* is in; None where it is outside."""
    top, _, rest = module.partition(".")
    if top == "handler":
        return top
    return rest.partition(".")[0] or None if top == "sync" else None


def wrong(path: str, source: str) -> list[str]:
    """What the file at *path* must not import."""
    own = room_of(path.removesuffix(".py").replace("/", "."))
    assert own is not None
    allowed = {own, *BELOW[own]}
    return [m for m in imported(source) if (room := room_of(m)) is not None and room not in allowed]


def circle(sources: Mapping[str, str]) -> list[str]:
    """Files that import one another in a circle; none where there is no circle.

    What a package's `__init__.py` imports of its own folder is not counted for that folder.
    """
    modules = {path.removesuffix(".py").replace("/", "."): path for path in sources}
    graph = {
        path: {
            modules[module]
            for module in imported(source)
            if module in modules and modules[module] != path
        }
        for path, source in sources.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@pytest.mark.parametrize("path", SOURCES)
def test_a_room_imports_only_those_below_it(path: str) -> None:
    """A newcomer can read the engine without any sink, and a sink without any model."""
    assert wrong(path, SOURCES[path]) == []


def test_no_files_import_one_another_in_a_circle() -> None:
    """Each file can be read, and tested, with those below it alone."""
    assert circle(SOURCES) == []


def test_there_are_at_most_20_rooms_at_the_top() -> None:
    """So that the first look at sync/ shows all of it."""
    rooms = {room_of(path.removesuffix(".py").replace("/", ".")) for path in SOURCES} - {"handler"}
    assert rooms == BELOW.keys() - {"handler"}
    assert len(rooms) <= 20


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("sync/stream/dispatch.py", "from sync.sinks.opensearch import OpenSearch"),
        ("sync/recovery/resync.py", "import sync.sinks.typesense.sink"),
        ("sync/recovery/settle.py", "from sync.lanes.sender import Sender"),
        ("sync/model/registry.py", "def f():\n    from sync import models"),
        ("sync/sinks/counters/sink.py", "from sync.models.core.faa_link import FaaLink"),
        ("sync/sinks/memory.py", "from sync.model.change import Change"),
        ("sync/models/product.py", "from sync.service import Service"),
        ("sync/writing/op.py", "from sync.model import Model"),
        ("sync/service.py", "from sync.commands import run"),
    ],
)
def test_the_rule_can_be_broken(path: str, line: str) -> None:
    """Also by an import within a function."""
    assert wrong(path, line)


def test_a_circle_is_found() -> None:
    """Planted: two files that need each other."""
    files = {"sync/a/b.py": "from sync.a import c", "sync/a/c.py": "from sync.a.b import x"}
    assert circle(files)
