"""`mappings tables` and `mappings check-tables`: the keys of tables, kept and compared."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import NoRegionError

from sync.aws import tables
from sync.aws.tables import Table
from sync.cli import key_schemas, local_stack
from sync.cli.main import main
from sync.errors import ConfigError

ORDERS = Table("orders", "arn", {"id": "S", "at": "N"}, "arn:stream", "NEW_IMAGE", 3, 90)
USERS = Table("users", "arn", {"name": "B"}, "arn:users", "KEYS_ONLY", 0, 0)
KEPT = {
    "orders": {"keys": {"id": "S", "at": "N"}, "view": "NEW_IMAGE", "stream": "arn:stream"},
    "users": {"keys": {"name": "B"}, "view": "KEYS_ONLY", "stream": "arn:users"},
}

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tables.json"


@pytest.fixture
def run(file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command where the account has these tables; gives exit code and output."""

    def run(command: str, *found: Table, as_json: bool = False) -> tuple[int, str]:
        monkeypatch.setattr(tables, "streamed", lambda _: iter(found))
        monkeypatch.setattr(key_schemas, "FILE", file)
        code = main(["mappings", command, *(["--json"] if as_json else [])])
        return code, capsys.readouterr().out

    return run


def test_the_keys_of_all_tables_are_written(run: Run, file: Path) -> None:
    """By name; the partition key first; the same tables give the same bytes."""
    assert run("tables", USERS, ORDERS) == (0, "wrote tables.json: 2 tables have a stream\n")
    first = file.read_text()
    assert json.loads(first) == KEPT
    assert list(json.loads(first)) == ["orders", "users"]
    assert first.endswith("}\n")
    assert '"keys": {\n      "id": "S",\n      "at": "N"\n    }' in first
    code, out = run("tables", ORDERS, USERS, as_json=True)
    assert (code, json.loads(out), file.read_text()) == (0, KEPT, first)


def test_tables_that_are_as_they_were_are_up_to_date(run: Run) -> None:
    """0."""
    run("tables", ORDERS, USERS)
    assert run("check-tables", USERS, ORDERS) == (0, "up to date\n")
    code, out = run("check-tables", USERS, ORDERS, as_json=True)
    assert (code, json.loads(out)) == (0, {"changed": [], "new": []})


HINT = "run python -m sync mappings tables once what is made of these tables is right\n"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            [replace(ORDERS, keys={"id": "N", "at": "N"})],
            ["orders: its keys changed: id (S), at (N), now id (N), at (N)"],
        ),
        (
            [replace(ORDERS, keys={"at": "N", "id": "S"})],
            ["orders: its keys changed: id (S), at (N), now at (N), id (S)"],
        ),
        (
            [replace(ORDERS, keys={"id": "S"}, stream="arn:new")],
            [
                "orders: its keys changed: id (S), at (N), now id (S)",
                "orders: stream arn:stream, now arn:new",
            ],
        ),
        ([replace(ORDERS, view="KEYS_ONLY")], ["orders: view NEW_IMAGE, now KEYS_ONLY"]),
        ([], ["orders: gone, or its stream is off"]),
    ],
)
def test_what_changed_is_told(run: Run, found: list[Table], said: list[str]) -> None:
    """1, with the table, what it was and what it is."""
    run("tables", ORDERS, USERS)
    assert run("check-tables", USERS, *found) == (1, "\n".join([*said, HINT]))
    code, out = run("check-tables", USERS, *found, as_json=True)
    changed = [dict(zip(("table", "what"), line.split(": ", 1), strict=True)) for line in said]
    assert (code, json.loads(out)) == (1, {"changed": changed, "new": []})


def test_a_new_table_is_told_and_is_no_failure(run: Run) -> None:
    """Somebody made one: nothing that is made of tables changes."""
    run("tables", USERS)
    assert run("check-tables", USERS, ORDERS) == (0, f"orders: new\n{HINT}")
    code, out = run("check-tables", USERS, ORDERS, as_json=True)
    assert (code, json.loads(out)) == (0, {"changed": [], "new": ["orders"]})


def test_a_file_that_is_missing_is_named(run: Run) -> None:
    """With what makes it."""
    with pytest.raises(ConfigError) as caught:
        run("check-tables", ORDERS)
    assert str(caught.value) == "tables.json is missing: run python -m sync mappings tables"


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {}}', '{"a": {"keys": []}}'])
def test_a_file_that_is_damaged_is_named(run: Run, file: Path, text: str) -> None:
    """Edited by hand, or half written."""
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        run("check-tables", ORDERS)
    assert str(caught.value) == "tables.json is damaged: run python -m sync mappings tables"


def test_a_missing_region_is_a_wrong_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """2, in boto3's words."""

    def nowhere(_: Any) -> Any:
        raise NoRegionError

    monkeypatch.setattr(tables, "streamed", nowhere)
    with pytest.raises(ConfigError, match="You must specify a region"):
        main(["mappings", "tables"])


@pytest.mark.parametrize("command", ["tables", "check-tables"])
def test_the_local_stack_is_found(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for commands that call a function; what needs no AWS needs no stack."""

    def reach(_: Any) -> None:
        raise ConfigError("reached")

    monkeypatch.setattr(local_stack, "reach", reach)
    with pytest.raises(ConfigError, match="reached"):
        main(["mappings", command, "--stage", "local"])
    assert main(["mappings", "check", "--stage", "local"]) == 0
