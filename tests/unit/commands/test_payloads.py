"""Payloads: what commands take, and what they say of anything else."""

import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, Field

from sync import commands
from sync.commands.dlq_list import DlqList
from sync.commands.parts.argument import arguments
from sync.deadletters.row import DISCARDED, OPEN, REPLAYED
from sync.errors import ConfigError
from tests.doubles.account import Account
from tests.records import PRODUCTS

KEYS: Any = [{"productId": {"S": "p"}}]


@pytest.mark.parametrize(
    ("command", "payload", "named"),
    [
        ("dlq list", {"status": "shut"}, "'status' must be one of open"),
        ("dlq list", {"limit": 0}, "'limit' must be a whole number over 0"),
        ("dlq list", {"limit": True}, "dlq list: 'limit' must be a whole number over 0, not True"),
        ("dlq list", {"limit": 2.5}, "'limit' must be a whole number over 0"),
        ("dlq list", {"sink": 1, "limit": 0}, "'sink' must be a text, not 1; dlq list: 'limit'"),
        ("dlq list", {"cursor": "x"}, "no cursor of an earlier answer"),
        ("dlq list", {"sinks": "x"}, "dlq list does not take sinks; it takes sink"),
        ("dlq show", {}, "dlq show needs 'id'"),
        ("dlq show", {"id": "nope"}, "there is no dead letter 'nope'"),
        ("dlq replay", {}, "dlq replay needs 'ids'"),
        ("dlq replay", {"all": True, "sink": "opensearch"}, "dlq replay needs 'ids'"),
        ("dlq replay", {"ids": "a"}, "'ids' must be a list of texts"),
        ("dlq replay", {"ids": [1]}, "'ids' must be a list of texts"),
        ("dlq discard", {"ids": ["a"]}, "dlq discard needs 'reason'"),
        ("dlq discard", {"ids": ["a"], "reason": "  "}, "dlq discard needs 'reason'"),
        ("dlq discard", {"ids": [], "reason": "x"}, "dlq discard needs 'ids'"),
        ("dlq discard", {"reason": "x"}, "dlq discard needs 'ids', or some of sink"),
        ("dlq discard", {"all": True, "model": "M", "reason": "x"}, "dlq discard needs 'ids', or"),
        ("dlq discard", {"ids": ["a"], "reason": "x", "cursor": "b"}, "no cursor of an earlier"),
        ("dlq replay", {"ids": ["a"], "cursor": "b"}, "no cursor of an earlier answer: 'b'"),
        ("dlq erase", {"table": PRODUCTS, "keys": [1]}, "'keys' must be a list of keys, not [1]"),
        ("recover", {"limit": 5}, "recover does not take limit; it takes nothing"),
        ("status", {"x": None, "y": 1}, "status does not take x, y; it takes nothing"),
        ("resync", {}, "resync needs 'table'"),
        ("resync", {"table": " "}, "resync needs 'table'"),
        ("resync", {"table": PRODUCTS, "dry_run": "yes"}, "'dry_run' must be true or false"),
        ("resync", {"table": "nope"}, "no model is of the table 'nope'"),
        ("resync", {"table": PRODUCTS, "sink": "solr"}, "no model feeds the sink 'solr'"),
        ("resync", {"table": PRODUCTS, "keys": [{"PK": {"S": "x"}}]}, "has productId"),
        ("resync", {"table": PRODUCTS, "keys": [{"productId": {"S": 5}}]}, "bad key"),
        *(
            ("resync", {"table": PRODUCTS, "cursor": cursor}, "no cursor of an earlier answer")
            for cursor in ("{", "5", "null", '{"PK":{"S":"x"}}', '{"productId":{"S":5}}')
        ),
        *(
            ("resync", {"table": PRODUCTS, "keys": KEYS, "cursor": cursor}, "no cursor of an")
            for cursor in ("-1", "1", "true", '"0"', '{"productId":{"S":"p"}}')
        ),
        ("nope", {}, "no command 'nope'; there are: backfill cancel, backfill list"),
    ],
)
def test_a_bad_call_is_named(
    command: str, payload: dict[str, Any], named: str, account: Account
) -> None:
    """With its command and its argument: people type these."""
    with pytest.raises(ConfigError) as error:
        account.call(command, **payload)
    assert named in str(error.value)


LEAST: dict[str, dict[str, Any]] = {
    **{f"backfill {turn}": {"id": "a"} for turn in ("cancel", "pause", "resume", "show")},
    "backfill start": {"table": PRODUCTS},
    "dlq discard": {"all": True, "reason": "x"},
    "dlq erase": {"table": PRODUCTS, "keys": KEYS},
    "dlq replay": {"all": True},
    "dlq show": {"id": "a"},
    "reindex": {"sink": "memory", "target": "products"},
    "resync": {"table": PRODUCTS},
}  # what a command can't do without


@pytest.mark.parametrize("name", commands.names())
def test_null_is_as_good_as_absent(name: str) -> None:
    """For every argument."""
    command, least = commands.load(name), LEAST.get(name, {})
    nulls = dict.fromkeys(argument.name for argument in command.arguments())
    assert command.read({**nulls, **least}) == command.read(least)


@pytest.mark.parametrize("name", ["dlq list", "dlq replay", "dlq discard", "resync", "recount"])
def test_a_page_goes_on_where_the_last_ended_and_has_a_most(name: str) -> None:
    """Every command that may be about many things; more than the most is taken as the most."""
    command = commands.load(name)
    takes = {argument.name: argument for argument in command.arguments()}
    most = takes["limit"].most
    given = command.read({**LEAST.get(name, {}), "limit": 10**9, "cursor": "x"})
    assert most is not None
    assert {"limit": most, "cursor": "x"}.items() <= given.model_dump().items()
    assert takes["limit"].default == most


def test_each_file_is_one_command() -> None:
    """And is loaded for that command alone."""
    folder = Path(commands.__file__).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {name.replace(" ", "_") for name in commands.names()} == files
    script = (
        "import sys\nfrom sync import commands\n"
        "print(commands.load(sys.argv[1]).title())\n"
        "print(sorted(m for m in sys.modules if m.startswith('sync.commands.')"
        " and not m.startswith('sync.commands.parts')))\n"
    )
    for name in ("status", "dlq list"):
        done = subprocess.run(
            [sys.executable, "-c", script, name], capture_output=True, text=True, check=True
        )
        assert done.stdout.split("\n")[:2] == [name, f"['sync.commands.{name.replace(' ', '_')}']"]


def test_every_argument_says_what_it_is() -> None:
    """Its type and description are what errors, flags and docs are made of."""
    for name in commands.names():
        command = commands.load(name)
        assert command.__doc__
        assert [argument.name for argument in command.arguments()] == list(command.model_fields)


def test_an_argument_that_says_too_little_is_refused() -> None:
    """By whoever runs the tests first."""

    class Silent(BaseModel):
        name: str

    class Odd(BaseModel):
        size: float = Field(description="how large")

    with pytest.raises(TypeError, match=r"Silent\.name has no description"):
        list(arguments(Silent))
    with pytest.raises(TypeError, match=r"Odd\.size is <class 'float'>"):
        list(arguments(Odd))


def test_the_statuses_are_those_of_the_table() -> None:
    """No more, no less."""
    assert get_args(DlqList.model_fields["status"].annotation) == (OPEN, REPLAYED, DISCARDED)
