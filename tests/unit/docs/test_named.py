"""Everything the docs name exists."""

import argparse
import ast
import json
import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.unit.docs.pages import CODE, GUIDES, PAGES, ROOT, parser, shown, targets

INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|yml|json|toml|txt)")
PLACED = re.compile(r"`([\w.]+)` (?:\(|in )`((?:sync/|local/)?[\w/]+\.py)`")
MADE = (".local/", "dist/", "node_modules/")  # by commands, so not in the repository


def spans(page: Path) -> Iterator[str]:
    """What *page* sets as code within its text."""
    yield from INLINE.findall(CODE.sub("", page.read_text()))


def lines(page: Path) -> Iterator[str]:
    """What *page* tells its reader to type: spans, code marked `sh`, and indented code."""
    text = page.read_text()
    yield from spans(page)
    for language, code in CODE.findall(text):
        if language == "sh":
            yield from code.splitlines()
    yield from re.findall(r"^ {4,}(\S.*)$", CODE.sub("", text), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of this repository."""
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_named_exists(page: Path) -> None:
    """Or is one that the docs show how to make."""
    made = {*shown(), "mappings/opensearch/airports.json", "mappings/tables.json"}
    named = {s for s in spans(page) if PATH.fullmatch(s) and not s.startswith(MADE)}
    assert sorted(n for n in named if not (ROOT / n).exists() and n not in made) == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_name_is_where_the_docs_place_it(page: Path) -> None:
    """`Registry.match` (`sync/model/registry.py`), `handle` in `handler.py`."""
    placed = PLACED.findall(page.read_text())
    assert [(name, path) for name, path in placed if name not in names(ROOT / path)] == []


def test_names_are_placed() -> None:
    """The pattern above finds those of the architecture's first section."""
    found = PLACED.findall((ROOT / "docs" / "architecture.md").read_text())
    assert {("handle", "handler.py"), ("Registry.match", "sync/model/registry.py")} <= set(found)


def names(source: Path) -> Iterator[str]:
    """What *source* defines: functions, classes, and members of classes as `Class.member`."""
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (
                f"{node.name}.{n.name}" for n in node.body if isinstance(n, ast.FunctionDef)
            )


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_named_exists(page: Path) -> None:
    """Make's targets, npm's scripts, modules, and the commands and options of `python -m sync`."""
    scripts = json.loads((ROOT / "package.json").read_text())["scripts"]
    unknown = []
    for line in lines(page):
        for part in re.split(r"[;|]|&&", line.partition("  #")[0]):
            match part.strip().removeprefix("$ ").split():
                case ["make", target, *_] if target not in targets() and target.isalpha():
                    unknown.append(line)
                case ["npm", "run", script, *_] if script not in scripts:
                    unknown.append(line)
                case ["python", "-m", "sync", *words] if not _parses(words):
                    unknown.append(line)
                case ["python", "-m", module, *_] if find_spec(module) is None:
                    unknown.append(line)
    assert unknown == []


def _parses(words: list[str]) -> bool:
    """Whether *words* begin a command of the CLI, with options it has."""
    at = parser()
    for word in shlex.split(" ".join(words)):
        if word.startswith("--"):
            if word.partition("=")[0] not in at._option_string_actions:
                return False
            continue
        inner = [a for a in at._actions if isinstance(a, argparse._SubParsersAction)]
        if inner and word != "…":
            if word not in inner[0].choices:
                return False
            at = inner[0].choices[word]
    return True
