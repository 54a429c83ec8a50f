"""`python -m sync`: the commands of `sls invoke`, for people.

Exit codes: 0 done, 1 something failed or differs, 2 the call or a setting is wrong, 3 done as
far as possible, and something is left for you to do.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from sync import commands
from sync.cli import (
    flags,
    key_schemas,
    letters,
    local_stack,
    mappings,
    reindex,
    runs,
    stages,
    status,
    tables,
    verify,
)
from sync.cli.asked import Asked, Draw, plain
from sync.cli.calls import Call, deployed, here
from sync.cli.screen import Screen

Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace, Call | None, Screen], int]

_DRAWN: Final[Mapping[str, Draw]] = {  # `plain` draws all others
    "backfill list": runs.show_list,
    "backfill show": runs.show,
    "backfill start": runs.start,
    "backfill watch": runs.watch,
    "dlq discard": letters.discard,
    "dlq erase": letters.erase,
    "dlq list": letters.show_list,
    "dlq replay": letters.replay,
    "dlq show": letters.show,
    "mappings apply": mappings.apply,
    "recount": tables.recount,
    "recover": letters.recover,
    "reindex": reindex.reindex,
    "resync": tables.resync,
    "status": status.status,
    "verify": verify.verify,
}


class Own(NamedTuple):
    """A command that calls no function. *asks_aws*: of the stage that it is given."""

    run: Callable[[argparse.Namespace, Screen], int]
    arguments: Callable[[argparse.ArgumentParser], None] | None = None
    asks_aws: bool = True


_OWN: Final = {
    "attach": Own(stages.attach, stages.attach_arguments),
    "detach": Own(stages.detach, stages.detach_arguments),
    "doctor": Own(stages.doctor),
    "mappings check": Own(mappings.check, asks_aws=False),
    "mappings check-tables": Own(key_schemas.check),
    "mappings tables": Own(key_schemas.write),
    "mappings write": Own(mappings.write, asks_aws=False),
}
_ASKS: Final = {"backfill watch": "backfill show"}  # not commands themselves: they ask these
_GROUPS: Final = {
    "backfill": "writing what a table holds to its sinks",
    "dlq": "dead letters",
    "mappings": "schemas generated from the models",
}


def main(arguments: Sequence[str] | None = None, call: Call | None = None) -> int:
    """Run the command of *arguments* through *call*, or as the options say. Returns the exit code.

    Raises ConfigError, SyncError.
    """
    options = _parser().parse_args(arguments)
    try:
        run: Run = options.run
        return run(options, call, Screen())
    except BrokenPipeError:  # the reader has stopped reading, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sync", description=__doc__.splitlines()[0])
    first = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    groups: dict[str, Parsers] = {}
    for name in sorted([*commands.names(), *_OWN, *_ASKS]):
        group, _, action = name.partition(" ")
        if not action:
            _add(first, name, name)
            continue
        if group not in groups:
            inner = first.add_parser(group, help=_GROUPS.get(group))
            groups[group] = inner.add_subparsers(dest="action", required=True, metavar="ACTION")
        _add(groups[group], action, name)
    return parser


def _add(parsers: Parsers, word: str, name: str) -> None:
    """Add a parser for the command *name*, whose last word is *word*."""
    command = None if name in _OWN else commands.load(_ASKS.get(name, name))
    drawn = _DRAWN[name] if name in _ASKS else None
    documented = (drawn or command or _OWN[name].run).__doc__ or ""
    parser = parsers.add_parser(word, help=documented.partition("\n")[0].rstrip("."))
    if command is not None:
        flags.add(parser, command)
    elif (arguments := _OWN[name].arguments) is not None:
        arguments(parser)
    parser.add_argument(
        "--stage",
        default=os.environ.get("STAGE") or "dev",
        help="whose admin function to call (default: $STAGE, or dev); local: on this machine",
    )
    parser.add_argument(
        "--here", action="store_true", help="run in this process, with the functions' settings"
    )
    parser.add_argument("--json", action="store_true", help="JSON on standard output, for programs")
    parser.set_defaults(run=_own(name) if command is None else _asking(name))


def _own(name: str) -> Run:
    def run(options: argparse.Namespace, _call: Call | None, screen: Screen) -> int:
        own = _OWN[name]
        if options.stage == local_stack.STAGE and own.asks_aws:
            local_stack.reach(os.environ)
        return own.run(options, screen)

    return run


def _asking(name: str) -> Run:
    def run(options: argparse.Namespace, call: Call | None, screen: Screen) -> int:
        payload = flags.payload(options, commands.load(_ASKS.get(name, name)))
        asked = Asked(payload, call or _call(options), screen, options.stage, options.json)
        return _DRAWN.get(name, plain)(asked)

    return run


def _call(options: argparse.Namespace) -> Call:
    if options.here:
        return here()
    if options.stage == local_stack.STAGE:
        local_stack.reach(os.environ)
    return deployed(options.stage)
