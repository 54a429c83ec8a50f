"""The docs name everything there is, and nothing that there is not."""

import argparse
import ast
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from sync import models
from sync.aws.clients import CALL_S, EFFECT_S
from sync.aws.keys import Source
from sync.cli import main as cli
from sync.cli import reference
from sync.deadletters.table import KEPT_S
from sync.recovery import brake
from sync.runtime import waits
from sync.service import Service
from sync.sinks.counters.rows import TOMBSTONE_S
from sync.sinks.opensearch import OpenSearch
from sync.sinks.opensearch.mapping import GC_DELETES_S
from sync.sinks.typesense import Typesense
from sync.stream import dispatch
from sync.writing import breaker
from sync.writing.op import Op
from tests.clocks import ManualClock
from tests.records import core_keys, stream_record
from tests.settings import ENV

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").rglob("*.md")))
GUIDES = [page for page in PAGES if "adr" not in page.parts]  # decisions speak of their own day
SOURCES = [ROOT / "handler.py", *sorted((ROOT / "sync").rglob("*.py"))]
DEPLOYING = (ROOT / "docs" / "deploying.md").read_text()
TEXT = "\n".join(page.read_text() for page in PAGES)

CODE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:py|md|yml|json|toml|txt)")
PLACED = re.compile(r"`([\w.]+)` (?:\(|in )`((?:sync/|local/)?[\w/]+\.py)`")
MADE = (".local/", "dist/", "node_modules/")  # by commands, so not in the repository
READERS = {"required", "matching", "seconds", "one_of"}


# ── Everything there is stands in the docs ────────────────────────────────────────────────────────


def sinks() -> list[str]:
    return sorted(
        path.stem
        for path in (ROOT / "sync" / "sinks").iterdir()
        if path.stem not in ("__init__", "base", "__pycache__")
    )


def targets() -> list[str]:
    return re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


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


class Parsed(Exception):
    """Carries the parser that would have parsed."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def parser() -> argparse.ArgumentParser:
    """The one of `python -m sync`."""

    def stop(self: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise Parsed(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(Parsed) as caught:
            cli.main([])
    return caught.value.parser


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


def test_every_parameter_is_documented() -> None:
    """Those of serverless.yml's `default`, each with its value there unless that is empty."""
    template = (ROOT / "serverless.yml").read_text()
    block = re.search(r"^  default:\n(.*?)^  local:", template, re.MULTILINE | re.DOTALL)
    assert block
    values = dict(re.findall(r"^    (\w+): ([^#\n]*)", block[1], re.MULTILINE))
    assert "alarmEmail" in values
    assert [name for name in values if f"`{name}`" not in DEPLOYING] == []
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([\w.-]+)`? \|", DEPLOYING, re.MULTILINE))
    rows = {name: value for name, value in rows.items() if name in values}
    for name, told in rows.items():
        value = values[name].strip().strip("'")
        assert told == value if value else told in {"none", "computed"}, name


def test_every_alarm_is_paid_for() -> None:
    """The table of costs counts what serverless.yml has: AWS asks for each metric of an alarm."""
    template = (ROOT / "serverless.yml").read_text()
    alarms = template.count("Type: AWS::CloudWatch::Alarm\n")
    of_more = template.count("        Metrics:\n")  # those with metric math
    metrics = alarms - of_more + template.count("MetricStat:")
    assert f"| {alarms} alarms on {metrics} metrics |" in DEPLOYING
    mappings = template.count("MetricsConfig:") + template.count("{Properties: *streamed}")
    assert f"| what {mappings} mappings count, one metric each |" in DEPLOYING


def test_the_costs_add_up() -> None:
    """Of production and of a trial, each line and the sum."""
    table = DEPLOYING.partition("| production | trial |")[2].partition("\n\n")[0]
    rows = [[cell.strip(" *") for cell in line.split("|")] for line in table.splitlines()]
    said = " ".join(README.read_text().split())
    for column in (3, 4):
        *costs, total = (row[column] for row in rows if len(row) > column)
        values = [float(cost) for cost in costs if re.fullmatch(r"[\d.]+", cost)]
        assert len(values) >= 9
        assert total == f"about {round(sum(values))}"
        assert total.replace("about ", "about $") in said


def last_cells(page: str, head: str) -> dict[str, str]:
    """Of each row of the table below *head* the last cell, by the first."""
    rows = page.partition(head)[2].partition("\n\n")[0].split("\n")
    return {row[0]: row[-1] for row in (line.strip("| ").split(" | ") for line in rows)}


def test_what_is_kept_is_told_with_its_time() -> None:
    """docs/security.md says of everything that expires when it does."""
    template = (ROOT / "serverless.yml").read_text()
    security = (ROOT / "docs" / "security.md").read_text()
    rows = last_cells(security, "| what | where | holds | until |")

    def days(setting: str) -> str:
        (found,) = set(re.findall(rf"{setting}: (\d+)", template))
        return f"{int(found) // (86_400 if int(found) > 10_000 else 1)} days"

    for what in ("changes on their way", "parked keys", "dead letters on their way"):
        assert rows[what].endswith(f"at most {days('MessageRetentionPeriod')}"), what
    assert rows["logs"] == days("logRetentionInDays")
    assert rows["their large bodies"] == f"{days('payloadDays')} (`payloadDays`)"
    assert rows["dead letters"].startswith(f"{KEPT_S // 86_400} days after they are resolved")
    assert (TOMBSTONE_S, rows["contributions"][:6]) == (7 * 86_400, "a week")


def test_every_command_is_documented() -> None:
    """As `python -m sync …`."""
    said = [" ".join(words) for words in commands(parser())]
    assert "mappings apply" in said
    assert [c for c in said if f"python -m sync {c}" not in TEXT] == []


def test_every_argument_is_documented() -> None:
    """docs/commands.md has them, and what is answered, as `python -m sync.cli.reference` does."""
    page = reference.PAGE.read_text()
    assert page == reference.rewritten(page), "run python -m sync.cli.reference"
    assert f"{reference.BEGIN}\n### `dlq discard`\n" in page
    assert "\n| `dry_run` | `--dry-run` | true or false | count only, and do nothing |\n" in page


def test_what_waits_is_told_with_its_time() -> None:
    """docs/guarantees.md has each wait as it is computed from the settings' defaults."""
    guarantees = (ROOT / "docs" / "guarantees.md").read_text()
    rows = last_cells(guarantees, "| what waits | for | with the default timeouts of 20 s |")
    sink = OpenSearch.from_env(ENV)
    again_min = [waits.again_s(sink.effect_s, receives) / 60 for receives in (1, 9)]
    visible_min = {
        int(found) // 60
        for found in re.findall(r"VisibilityTimeout: (\d+)", (ROOT / "serverless.yml").read_text())
    }
    assert sink.timeout_s == 20
    assert rows["a request's caller"] == f"20 s ({CALL_S:g} s for calls of AWS)"
    assert rows["**a request's effect**"] == f"**{sink.effect_s:g} s** ({EFFECT_S:g} s)"
    service = Service(ENV, lambda _: None, ManualClock())
    assert rows["a parked key, a record that Lambda gave up on"] == (
        f"{service.park_delay_s:g} s at least"
    )
    assert rows["a Typesense message that comes again"] == (
        f"{again_min[0] * 60:g} s to {again_min[1]:g} min"
    )
    assert visible_min == {6, 12}
    assert rows["messages of a worker that was killed"] == "6 min, Typesense 12 min"
    assert rows["a tombstone of OpenSearch (`gc_deletes`)"] == f"{GC_DELETES_S // 60} min"


def test_figures_of_trouble_are_told() -> None:
    """Those that docs/guarantees.md names are the code's."""
    guarantees = " ".join((ROOT / "docs" / "guarantees.md").read_text().split())
    assert f"delays a batch by {dispatch.WRITE_S:g} s at most" in guarantees
    assert (breaker.FIRST_S, breaker.LONGEST_S) == (15, 240)
    assert "for a quarter of a minute to four minutes not at all" in guarantees
    assert (
        f"from {brake.LEAST} refused documents on, and half of the last {brake.WINDOW}"
        in guarantees
    )
    assert brake.SHARE == 0.5
    source = Source("t", {})
    ops = [Op("typesense", source, "c", f"{n}", None, 1) for n in range(2_000)]
    assert len({Typesense.lanes.of(op) for op in ops}) == 32
    assert "a thirty-second of all documents" in guarantees


# ── Everything the docs name exists ───────────────────────────────────────────────────────────────


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


def shown() -> dict[str, str]:
    """The files that the docs show whole, by path: their first line is `# path`."""
    found = {}
    for page in PAGES:
        for language, code in CODE.findall(page.read_text()):
            if language == "python":
                first, _, rest = code.partition("\n")
                found[first.removeprefix("# ")] = rest
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of this repository."""
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_named_exists(page: Path) -> None:
    """Or is one that the docs show how to make."""
    made = {*shown(), "mappings/opensearch/airports.json"}
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


# ── What the docs show works ──────────────────────────────────────────────────────────────────────

RUN = """
import json, sys
import handler
from sync.writing.op import Done, Outcome
from sync.sinks.opensearch import OpenSearch

class Context:
    aws_request_id = "request"
    def get_remaining_time_in_millis(self): return 60000

written = []
def write(self, ops, deadline):  # no server here: the contract suite has one
    written.extend([op.target, op.id, op.body.decode()] for op in ops)
    return [Outcome(op, Done.WRITTEN) for op in ops]
OpenSearch.write = write
answer = handler.handle(json.load(sys.stdin), Context())
print(json.dumps([answer, written]))
"""


def copy_to(folder: Path) -> None:
    """What the docs' blocks need around them."""
    for name in ("sync", "mappings", "local", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("handler.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)


def python(copy: Path, *arguments: str, given: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**ENV, "PATH": "/usr/bin:/bin"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


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

class Context:
    aws_request_id = "request"
    def get_remaining_time_in_millis(self): return 60000

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
