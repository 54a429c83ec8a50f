"""Every argument of every command has a flag, and what is typed becomes the payload."""

import argparse
from collections.abc import Mapping
from typing import Any

import pytest

from sync import commands
from sync.cli import flags
from sync.cli.keys import parse_key
from sync.cli.main import main
from sync.commands.parts.argument import Argument, Kind
from sync.commands.parts.letters import Filters
from sync.errors import ConfigError
from tests.records import PRODUCTS

TYPED: dict[Kind, tuple[list[str], Any]] = {
    Kind.TEXT: (["words here"], "words here"),
    Kind.FLAG: ([], True),
    Kind.COUNT: (["7"], 7),
    Kind.TEXTS: (["a", "b"], ["a", "b"]),
    Kind.KEYS: (["PK=a"], [{"PK": {"S": "a"}}]),
}
CHOICES = ("ids", "all", *Filters.model_fields)  # one of them is needed


def typed(argument: Argument) -> tuple[list[str], Any]:
    """Words for *argument*, and the value that they are to become."""
    if argument.kind is Kind.CHOICE:
        words, value = [argument.choices[-1]], argument.choices[-1]
    else:
        words, value = TYPED[argument.kind]
    if argument.positional:
        return words, value
    flag = flags.flag(argument)
    if argument.kind is Kind.TEXTS:  # the flag may be repeated
        return [word for each in words for word in (flag, each)], value
    return [flag, *words], value


@pytest.mark.parametrize("name", commands.names())
def test_every_argument_can_be_typed(name: str) -> None:
    """Each by itself, so that one without a flag, or of a kind that flags don't know, is found."""
    command = commands.load(name)
    for argument in command.arguments():
        parser = argparse.ArgumentParser(exit_on_error=False)
        flags.add(parser, command)
        words, value = typed(argument)
        for other in command.arguments():
            if other.needed and other.name != argument.name:
                words = [*words, *typed(other)[0]]
        if name in ("dlq replay", "dlq discard") and argument.name not in CHOICES:
            words = [*words, "--all"]
        payload = flags.payload(parser.parse_args(words), command)
        assert payload["command"] == name
        assert payload[argument.name] == value


@pytest.mark.parametrize("name", commands.names())
def test_there_is_no_flag_beside_them(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """But those that say how a command is carried out; and its help shows them all."""
    with pytest.raises(SystemExit):
        main([*name.split(), "--help"])
    shown = capsys.readouterr().out
    found = {word.strip("[],") for word in shown.split() if word.strip("[").startswith("--")}
    flagged = {flags.flag(one) for one in commands.load(name).arguments() if not one.positional}
    assert found == flagged | {"--help", "--stage", "--here", "--json"}
    positional = {one.name for one in commands.load(name).arguments() if one.positional}
    assert {each.removesuffix("s").upper() for each in positional} <= {*shown.split()}


def asked_for(*words: str) -> Mapping[str, Any]:
    """The first payload that *words* become."""
    asked: list[Mapping[str, Any]] = []

    class Enough(Exception):
        pass

    def call(payload: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(payload)
        raise Enough

    with pytest.raises(Enough):
        main(words, call)
    return asked[0]


def test_what_is_not_typed_is_not_sent() -> None:
    """So that a function deployed before an argument was added takes the rest."""
    assert asked_for("status") == {"command": "status"}
    assert asked_for("resync", "--table", PRODUCTS, "--key", "productId=a", "--dry-run") == {
        "command": "resync",
        "table": PRODUCTS,
        "keys": [{"productId": {"S": "a"}}],
        "dry_run": True,
        "limit": 1_000,
        "cursor": None,
    }


@pytest.mark.parametrize(
    "words",
    [
        ("dlq", "replay"),
        ("dlq", "replay", "a", "--all"),
        ("dlq", "discard", "--reason", "x"),
        ("dlq", "discard", "--all", "--reason", " "),
    ],
)
def test_a_payload_is_judged_before_it_is_sent(words: tuple[str, ...]) -> None:
    """By the command itself."""

    def call(payload: Mapping[str, Any]) -> dict[str, Any]:
        raise AssertionError(payload)

    with pytest.raises(ConfigError, match=f"{' '.join(words[:2])} needs"):
        main(words, call)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("productId=p", {"productId": {"S": "p"}}),
        ("PK=A#1,SK=B#2,3", {"PK": {"S": "A#1"}, "SK": {"S": "B#2,3"}}),
        ("productId=a=b", {"productId": {"S": "a=b"}}),
        ('{"id": {"N": "5"}}', {"id": {"N": "5"}}),
    ],
)
def test_keys_are_easily_typed(text: str, key: Any) -> None:
    """Texts as NAME=VALUE, everything else as DynamoDB's JSON."""
    assert parse_key(text) == key
