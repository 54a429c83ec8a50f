"""Everything there is stands in the docs."""

import argparse
import ast
import re
import subprocess
import textwrap
from collections.abc import Iterator

from sync import models
from sync.cli import reference
from sync.stages import reference as stages
from sync.stages.files import parse
from sync.stages.template import template
from tests.unit.docs.pages import DEPLOYING, README, ROOT, TEXT, parser, targets

SOURCES = [
    ROOT / "handler.py",
    *(p for p in sorted((ROOT / "sync").rglob("*.py")) if "stages" not in p.parts),
]
READERS = {"required", "lists", "mapping", "matching", "names", "one_of", "prefix", "seconds"}


def sinks() -> list[str]:
    return sorted(
        path.stem
        for path in (ROOT / "sync" / "sinks").iterdir()
        if path.stem not in ("__init__", "base", "__pycache__")
    )


def variables() -> list[str]:
    """The environment variables that the service reads."""
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call):
                found |= _read_by(node)
            elif isinstance(node, ast.Subscript) and _is_env(node.value):
                found |= _texts([node.slice])
    return sorted(found)


def _read_by(call: ast.Call) -> set[str]:
    function, arguments = call.func, call.args
    if isinstance(function, ast.Name) and function.id in READERS and len(arguments) > 1:
        return _texts(arguments[1:2]) if _is_env(arguments[0]) else set()
    if isinstance(function, ast.Attribute) and function.attr == "get" and _is_env(function.value):
        return _texts(arguments[:1])
    if isinstance(function, ast.Name) and function.id == "Lanes":
        return _texts(arguments[:2])
    return set()


def _is_env(node: ast.expr) -> bool:
    return ast.unparse(node) in ("env", "os.environ", "self._env")


def _texts(nodes: list[ast.expr]) -> set[str]:
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def commands(of: argparse.ArgumentParser, *said: str) -> Iterator[tuple[str, ...]]:
    """Every command that ends there: `dlq list`."""
    found = [action for action in of._actions if isinstance(action, argparse._SubParsersAction)]
    if not found:
        yield said
    for action in found:
        for name, inner in action.choices.items():
            yield from commands(inner, *said, name)


def test_every_sink_is_documented() -> None:
    """By its file, in a page that says what it needs."""
    assert [s for s in sinks() if not re.search(rf"sync/sinks/{s}\b", TEXT)] == []


def test_every_model_is_documented() -> None:
    """By the target that it feeds."""
    fed = {target for model in models.load() if model.route for target in model.route.into.values()}
    assert fed
    assert [target for target in sorted(fed) if target not in TEXT] == []


def test_every_make_target_is_documented() -> None:
    """The README shows what `make help` prints."""
    said = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(targets()) == set(re.findall(r"make ([a-z]+)", said.stdout))
    assert said.stdout in README.read_text()


def test_every_environment_variable_is_documented() -> None:
    """In the table of docs/deploying.md, and no other there."""
    assert {"STAGE", "OPENSEARCH_ENDPOINT", "RESYNC_QUEUE_URL"} <= set(variables())
    assert variables() == sorted(re.findall(r"^\| `([A-Z_]+)` \|", DEPLOYING, re.MULTILINE))


def test_every_field_of_a_stage_is_documented() -> None:
    """In docs/stages.md, as `python -m sync.stages.reference` writes it."""
    page = stages.PAGE.read_text()
    assert page == stages.rewritten(page), "run python -m sync.stages.reference"
    assert "\n| `volume_gb` | `50` | its size |\n" in page


def test_examples_of_stage_files_are_right() -> None:
    """Those of docs/stages.md that are whole, and all of stages/."""
    shown = re.findall(r"(?:^    .+\n)+", stages.PAGE.read_text(), re.MULTILINE)
    whole = [textwrap.dedent(one) for one in shown if "    tables:\n" in one]
    assert len(whole) == 2
    files = [path.read_text() for path in sorted((ROOT / "stages").glob("*.yml"))]
    assert files
    for text in [*whole, *files]:
        assert template(parse(text, "an example"))["resources"]["Resources"]


def test_every_parameter_is_documented() -> None:
    """Those of serverless.yml, which the local stack changes."""
    text = (ROOT / "serverless.yml").read_text()
    block = re.search(r"^  default:\n(.*?)^  local:", text, re.MULTILINE | re.DOTALL)
    assert block
    names = re.findall(r"^    (\w+):", block[1], re.MULTILINE)
    assert "scheme" in names
    assert [name for name in names if f"`{name}`" not in DEPLOYING] == []


def test_every_command_is_documented() -> None:
    """As `python -m sync …`."""
    said = [" ".join(words) for words in commands(parser())]
    assert "mappings apply" in said
    assert [c for c in said if f"python -m sync {c}" not in TEXT] == []


def test_every_argument_is_documented() -> None:
    """docs/commands.md has them, and what is answered, as `python -m sync.cli.reference` does."""
    page = reference.PAGE.read_text()
    assert page == reference.rewritten(page), "run python -m sync.cli.reference"
    assert f"{reference.BEGIN}\n### `backfill cancel`\n" in page
    assert "\n| `dry_run` | `--dry-run` | true or false | count only, and do nothing |\n" in page
