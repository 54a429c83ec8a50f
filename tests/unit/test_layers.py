"""Imports point one way: handler, service, then parts; the engine names no model and no sink."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WIRING = ("sync/service.py", "sync/commands/", "sync/cli/", "sync/__main__.py")


def imported(source: str) -> Iterator[str]:
    """The modules that *source* names anywhere in an import."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden(path: str) -> tuple[str, ...]:
    """What the file at *path* must not name."""
    if path.startswith(WIRING):
        return ()
    above = ("handler", "sync.service", "sync.commands", "sync.cli")
    if path.startswith("sync/models/"):
        return above
    if path.startswith("sync/sinks/"):
        return (*above, "sync.models")
    return (*above, "sync.models", "sync.sinks")


def wrong(path: str, source: str) -> list[str]:
    return [
        module
        for module in imported(source)
        for other in forbidden(path)
        if (module == other or module.startswith(f"{other}."))
        and not f"{module}.".startswith("sync.writing.sink.")  # what a sink is
    ]


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "sync").rglob("*.py"))
)
def test_no_file_names_what_stands_above_it(path: str) -> None:
    """A newcomer can read the engine without any sink, and a sink without any model."""
    assert wrong(path, (ROOT / path).read_text()) == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("sync/stream/dispatch.py", "from sync.sinks.opensearch import OpenSearch"),
        ("sync/recovery/resync.py", "import sync.sinks.typesense.queue"),
        ("sync/model/registry.py", "def f():\n    from sync import models"),
        ("sync/sinks/counters/sink.py", "from sync.models.faa_link import FaaLink"),
        ("sync/models/product.py", "from sync.service import Service"),
    ],
)
def test_the_rule_can_be_broken(path: str, line: str) -> None:
    """Also by an import within a function."""
    assert wrong(path, line)
