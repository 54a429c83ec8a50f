"""Commands as people type them: `python -m sync`, its flags, payloads and exit codes."""

import argparse
import io
import json
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from typing import Any, Final
from unittest import mock

from botocore.exceptions import ClientError

from tests.golden.aws import client
from tests.golden.commands import busy, filled
from tests.golden.plain import Json, shape
from tests.golden.subjects import World
from tests.records import PRODUCTS

# Run in this order. "<id>": of an open dead letter.
RUNS: Final[Sequence[str]] = [
    "status --json",
    "dlq list",
    "dlq list --json --status open --sink opensearch --model Product --error Refused "
    f"--table {PRODUCTS} --kind quarantined --limit 2",
    "dlq list --status another",
    "dlq list --limit 0",
    "dlq show <id> --json",
    "dlq show none",
    "dlq show",
    "dlq replay",
    "dlq replay --all --dry-run --json",
    "dlq replay --model Product --limit 1 --json",
    "dlq replay <id>",
    "dlq replay --all",
    "dlq discard",
    "dlq discard <id>",
    "dlq discard <id> --reason test --json",
    "dlq discard none --reason test",
    "dlq discard --model Product --dry-run --limit 1 --reason test --json",
    f"dlq erase --table {PRODUCTS} --key productId=refused-2 --json",
    "dlq erase --table another --key productId=p",
    "dlq erase",
    "dlq",
    f"resync --table {PRODUCTS} --key productId=p --key productId=q --sink opensearch --json",
    f"resync --table {PRODUCTS} --key productId=refused-1 --json",
    f"resync --table {PRODUCTS} --dry-run --limit 3",
    f"resync --table {PRODUCTS} --key p",
    f"resync --table {PRODUCTS} --sink another",
    "resync",
    "recount --json",
    "recount --repair",
    "recover --stage prod --json",
    "mappings apply --json",
    "mappings check --json",
    "mappings",
    "another",
    "",
    "--help",
    "dlq list --help",
]


def command_line() -> Json:
    """The flags of each command; for each command line the payload that is sent to the admin
    function, the exit code, and the names and types in the answer with `--json`."""
    with busy() as w, mock.patch.dict(os.environ):
        os.environ.pop("STAGE", None)
        w.search.aliases = ()  # so that `mappings apply` makes them
        w.aws.answers["Invoke"] = lambda request: _admin(w, request)
        return {
            "commands": _commands(_parser()),
            "runs": {" ".join(["sync", line]).strip(): _run(w, line) for line in RUNS},
            "runs, where things are not as they should be": _troubles(w),
        }


def _troubles(w: World) -> Json:
    found = {}
    w.search.down = True
    found["mappings apply, and no server answers"] = _run(w, "mappings apply --json")
    found["resync, and no server answers"] = _run(w, f"resync --table {PRODUCTS} --json")
    w.search.down = False
    empty = _error("ResourceNotFoundException", "can't find the specified secret value")
    w.aws.answers["GetSecretValue"] = mock.Mock(side_effect=empty)
    found["mappings apply, and the secret is empty"] = _run(w, "mappings apply --json")
    w.aws.answers["GetMetricStatistics"] = lambda asked: _late(asked, w.clock.now)
    found["status, and records are lost"] = _run(w, "status")
    client("dynamodb").delete_table(TableName=PRODUCTS)
    found["resync, and the table is gone"] = _run(w, f"resync --table {PRODUCTS}")
    for name, trouble in {
        "nothing is deployed": _error("ResourceNotFoundException"),
        "nobody may": _error("AccessDeniedException"),
        "Ctrl-C": KeyboardInterrupt(),
    }.items():
        w.aws.answers["Invoke"] = mock.Mock(side_effect=trouble)
        found[name] = _run(w, "status")
    return found


def _late(asked: Mapping[str, Any], now_s: float) -> Json:
    """CloudWatch's answer for a stream that is over a day late."""
    if asked["MetricName"] != "IteratorAge":
        return {"Datapoints": []}
    at = datetime.fromtimestamp(now_s - 60, UTC)
    return {"Datapoints": [{"Timestamp": at, "Maximum": 90_000_000.0}]}


def _error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "x")


def _admin(w: World, request: Mapping[str, Any]) -> Json:
    """Lambda's answer to an invocation of the admin function."""
    try:
        answer = w.handle(json.loads(request["Payload"]))
    except Exception as error:
        told = {"errorType": type(error).__name__, "errorMessage": str(error)}
        return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(told).encode())}
    return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def _run(w: World, line: str) -> Json:
    out = io.StringIO()
    arguments = [filled(part, {}) for part in line.split()]
    w.aws.take("Invoke")
    found: Json = {"code": _sync(arguments, out)}
    for asked in w.aws.take("Invoke"):
        payload = json.loads(asked["Payload"])
        if line.startswith(payload["command"]) and "asks" not in found:  # the first page
            found["asks"] = _asked(payload, line)
            found["of"] = asked["FunctionName"]
    if "--json" in arguments:
        found["answers"] = shape(json.loads(out.getvalue()))
    return found


def _asked(payload: Json, line: str) -> Json:
    """*payload* without null and false, which mean the same as absent, and the size of a page."""
    given = {name: value for name, value in payload.items() if value not in (None, False)}
    if "--limit" not in line:
        given.pop("limit", None)
    return given


def _sync(arguments: Sequence[str], out: io.StringIO) -> Any:
    with (
        mock.patch.object(sys, "argv", ["sync", *arguments]),
        redirect_stdout(out),
        redirect_stderr(io.StringIO()),
    ):
        try:
            runpy.run_module("sync", run_name="__main__")
        except SystemExit as left:
            return left.code
    return "it went on"


# ── Flags ─────────────────────────────────────────────────────────────────────────────────────────


class _Parsing(BaseException):
    """Carries the parser that would have parsed."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def _parser() -> argparse.ArgumentParser:
    def stop(parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        raise _Parsing(parser)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", stop):
        try:
            _sync([], io.StringIO())
        except _Parsing as parsing:
            return parsing.parser
    raise AssertionError("nothing was parsed")


def _commands(parser: argparse.ArgumentParser, *said: str) -> Json:
    inner = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not inner:
        return {" ".join(said): _flags(parser)}
    found: Json = {}
    for action in inner:
        for name, parser in action.choices.items():
            found |= _commands(parser, *said, name)
    return found


def _flags(parser: argparse.ArgumentParser) -> Json:
    actions = [each for each in parser._actions if "--help" not in each.option_strings]
    return {
        "required": sorted(_name(each) for each in actions if _is_required(each)),
        "flags": {_name(each): _flag(each) for each in actions},
    }


def _is_required(action: argparse.Action) -> bool:
    """Of an argument that may be absent, Python 3.11 says that it is required, 3.13 not."""
    return action.required and action.nargs not in ("*", "?")


def _name(action: argparse.Action) -> str:
    return " ".join(action.option_strings) or action.dest


def _flag(action: argparse.Action) -> Json:
    told = {
        "choices": list(action.choices or ()),
        "default": action.default,
        "values": "none" if action.nargs == 0 else action.nargs or "one",
        "repeated": isinstance(action, argparse._AppendAction),
    }
    return {name: value for name, value in told.items() if value not in (None, False, [])}
