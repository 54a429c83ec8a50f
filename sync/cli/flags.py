"""Makes flags from a command's arguments, and its payload from what was typed."""

from argparse import ArgumentParser, Namespace
from typing import Any

from sync.cli.keys import parse_key
from sync.commands.parts.argument import Argument, Kind
from sync.commands.parts.command import Command


def add(parser: ArgumentParser, command: type[Command]) -> None:
    """Add a flag or a positional argument for each argument of *command*."""
    for argument in command.arguments():
        _add(parser, argument)


def payload(options: Namespace, command: type[Command]) -> dict[str, Any]:
    """The payload of *command* from *options*, without what was not typed.

    Raises ConfigError that says what is wrong.
    """
    given: dict[str, Any] = {"command": command.title()}
    for argument in command.arguments():
        value = getattr(options, argument.name)
        if argument.kind is Kind.KEYS:
            value = [parse_key(text) for text in value]
        if value not in (None, False, []):
            given[argument.name] = value
    command.read(given)
    return given


def flag(argument: Argument) -> str:
    """How *argument* is typed: `--dry-run`, `--key` for each of the keys, `ids` without a flag."""
    if argument.positional:
        return argument.name
    several = argument.kind in (Kind.KEYS, Kind.TEXTS)
    name = argument.name.removesuffix("s") if several else argument.name
    return f"--{name.replace('_', '-')}"


def _add(parser: ArgumentParser, argument: Argument) -> None:
    how: dict[str, Any] = {"help": argument.description.replace("%", "%%")}
    if argument.positional:
        how["metavar"] = argument.name.removesuffix("s").upper()
        if argument.kind is Kind.TEXTS:
            how["nargs"] = "+" if argument.needed else "*"
        parser.add_argument(argument.name, **how)
        return
    match argument.kind:
        case Kind.FLAG:
            how["action"] = "store_true"
        case Kind.COUNT:
            how |= {"type": _whole, "metavar": "N"}
        case Kind.CHOICE:
            how |= {"choices": argument.choices, "default": argument.default}
            how["help"] += f" (default: {argument.default})"
        case Kind.TEXTS | Kind.KEYS:
            how |= {"action": "append", "default": []}
            how["help"] += "; may be repeated"
    if argument.kind is Kind.KEYS:
        how["metavar"] = "KEY"
        how["help"] += "; PK=a,SK=b, or JSON as DynamoDB has it"
    if argument.kind is not Kind.FLAG:
        how["required"] = argument.needed
    parser.add_argument(flag(argument), dest=argument.name, **how)


def _whole(text: str) -> int:
    """A whole number over 0; argparse turns a ValueError into its own error."""
    if (value := int(text)) < 1:
        raise ValueError(text)
    return value
