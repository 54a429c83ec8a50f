"""`python -m sync`: the same commands as `sls invoke`, for people.

Exit codes: 0 done, 1 something is not as it should be, 2 the call or a setting is wrong, 3 done as
far as it can be, and something is left for you to do.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TypeAlias

from sync.cli import counters, dead_letters, local_stack, service
from sync.cli.calls import Call, deployed, here
from sync.cli.screen import Screen

Parsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None, call: Call | None = None) -> int:
    """Returns the exit code. *call* carries payloads out; else the options say what does.

    Raises ConfigError, SyncError.
    """
    options = _parser().parse_args(arguments)
    screen = Screen()
    try:
        if getattr(options, "action", None) in {"write", "check"}:
            return service.mappings(options, screen)
        code: int = options.run(options, call or _call(options), screen)
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _call(options: argparse.Namespace) -> Call:
    if options.here:
        return here()
    if options.stage == local_stack.STAGE:
        local_stack.reach(os.environ)
    return deployed(options.stage)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sync", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _dlq(commands.add_parser("dlq", help="dead letters: list, show, replay, discard, erase"))
    resync = _add(commands, "resync", service.resync, "bring sinks in line with a table")
    resync.add_argument("--table", required=True, help="full name of the table")
    _key(resync, "; without it every item")
    resync.add_argument("--sink", help="this one alone")
    resync.add_argument("--dry-run", action="store_true", help="count only")
    _limit(resync, "items")
    recount = _add(commands, "recount", counters.recount, "compare counters with what they count")
    recount.add_argument("--repair", action="store_true", help="mend what differs")
    _add(commands, "recover", service.recover, "close the dead letters that need nobody any more")
    _add(commands, "status", service.status, "sinks, parked keys, dead letters, lateness")
    mappings = commands.add_parser("mappings", help="schemas generated from the models")
    actions = mappings.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add(actions, "write", service.mappings, "bring mappings/ up to date with the models")
    _add(actions, "check", service.mappings, "exit with 1 where mappings/ is out of date")
    _add(actions, "apply", service.mappings_apply, "make or extend the indexes and aliases")
    return parser


def _dlq(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = _add(commands, "list", dead_letters.show_list, "groups and rows, oldest first")
    listed.add_argument("--status", default="open", choices=("open", "replayed", "discarded"))
    _filters(listed)
    _limit(listed, "rows")
    shown = _add(commands, "show", dead_letters.show, "one of them, whole")
    shown.add_argument("id")
    replay = _add(commands, "replay", dead_letters.replay, "bring sinks in line for them")
    replay.add_argument("ids", nargs="*", metavar="ID")
    replay.add_argument("--all", action="store_true", help="every open one")
    replay.add_argument("--dry-run", action="store_true", help="say which, and do nothing")
    _filters(replay)
    _limit(replay, "rows")
    discard = _add(commands, "discard", dead_letters.discard, "resolve them without writing")
    discard.add_argument("ids", nargs="+", metavar="ID")
    discard.add_argument("--reason", required=True, help="kept with the row")
    erase = _add(commands, "erase", dead_letters.erase, "remove what they hold of an item")
    erase.add_argument("--table", required=True, help="full name of the item's table")
    _key(erase, required=True)


def _key(parser: argparse.ArgumentParser, more: str = "", *, required: bool = False) -> None:
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        required=required,
        help=f"PK=a,SK=b, or JSON as DynamoDB has it; may be repeated{more}",
    )


def _add(commands: Parsers, name: str, run: object, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text)
    parser.add_argument(
        "--stage",
        default=os.environ.get("STAGE") or "dev",
        help="whose admin function to call (default: $STAGE, or dev); local: on this machine",
    )
    parser.add_argument(
        "--here", action="store_true", help="run in this process, with the functions' settings"
    )
    parser.add_argument("--json", action="store_true", help="JSON on standard output, for programs")
    parser.set_defaults(run=run)
    return parser


def _filters(parser: argparse.ArgumentParser) -> None:
    for name, text in (
        ("sink", "of this sink"),
        ("model", "of this model"),
        ("error", "with an error of this class"),
        ("table", "of this table, by its full name"),
        ("kind", "of this kind: quarantined, given-up, parked …"),
    ):
        parser.add_argument(f"--{name}", help=text)


def _limit(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--limit", type=_positive, metavar="N", help=f"at most so many {what}")


def _positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise ValueError(text)
    return value
