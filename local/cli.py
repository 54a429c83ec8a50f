"""`python -m local`: bring the local stack up, take it down, follow its logs.

Exit codes: 0 done, 1 a part can't start or stop, 2 the call is wrong.
"""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from local.errors import LocalError
from local.stack import LOGS, Stack
from sync.cli.local_stack import STAGE, running

_OUTPUT = LOGS / "stack.log"
_START_S, _STOP_S = 600, 60
_TAIL_BYTES = 4_000


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("up", "start the stack and leave it running"),
        ("down", "stop it"),
        ("status", "where its parts answer"),
        ("env", 'for a shell: eval "$(python -m local env)"; then aws and other tools reach it'),
        ("logs", "follow its logs until Ctrl-C"),
        ("serve", "run it in the foreground until Ctrl-C"),
    ):
        commands.add_parser(name, help=text).add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    called = {"up": up, "down": down, "status": status, "env": env, "logs": logs, "serve": serve}
    return called[options.command](as_json=options.json)


def up(*, as_json: bool) -> int:
    """Start `python -m local serve` in the background, and return once the stack is up."""
    if running() is None:
        LOGS.mkdir(parents=True, exist_ok=True)
        with _OUTPUT.open("wb") as output:
            server = subprocess.Popen(
                [sys.executable, "-m", "local", "serve"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _watch(server, say=not as_json)
        except BaseException:
            server.terminate()
            raise
    return status(as_json=as_json)


def _watch(server: "subprocess.Popen[bytes]", *, say: bool) -> None:
    """Print the output of *server* until the stack is up. Raises LocalError if it can't start."""
    said = 0
    deadline = time.monotonic() + _START_S
    while running() is None:
        if server.poll() is not None:
            raise LocalError(f"the stack did not start:\n{_OUTPUT.read_text().strip()}")
        if time.monotonic() > deadline:
            raise LocalError(f"the stack was not up after {_START_S} s; see {_OUTPUT}")
        text = _OUTPUT.read_text()
        if say:
            print(text[said:], end="", flush=True)
        said = len(text)
        time.sleep(0.1)


def down(*, as_json: bool) -> int:
    """Stop the running stack, if there is one."""
    found = running()
    if found is not None:
        os.kill(found["pid"], signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        while running() is not None:
            if time.monotonic() > deadline:
                raise LocalError(f"process {found['pid']} did not stop within {_STOP_S} s")
            time.sleep(0.05)
    print(json.dumps({"stopped": found is not None}) if as_json else "the local stack is down")
    return 0


def status(*, as_json: bool) -> int:
    found = running()
    if as_json:
        print(json.dumps(found))
    elif found is None:
        print("the local stack is down; `make up` starts it")
    else:
        rows = {
            "AWS": f"AWS_ENDPOINT_URL={found['endpoint_url']}  (any credentials, us-east-1)",
            "OpenSearch": found["opensearch_url"],
            "Typesense": f"left out: {found['left_out']['typesense']}"
            if found["left_out"]
            else f"{found['typesense_url']}  (API key: {found['typesense_api_key']})",
            "tables": f"{found['outputs']['CoreTable']}, {found['outputs']['ProductsTable']}",
            "process": found["pid"],
        }
        print("\n".join(f"{name:<12}{value}" for name, value in rows.items()))
    return 0 if found else 1


def env(*, as_json: bool) -> int:
    """Print the settings with which a shell reaches the stack. Raises LocalError if it is down."""
    found = running()
    if found is None:
        raise LocalError("the local stack is down; `make up` starts it")
    aws = {name: v for name, v in found["environment"].items() if name.startswith("AWS_")}
    settings = {**aws, "STAGE": STAGE}
    lines = (f"export {name}={shlex.quote(value)}" for name, value in settings.items())
    print(json.dumps(settings) if as_json else "\n".join(lines))
    return 0


def logs(*, as_json: bool) -> int:
    """Print the end of every log, then each new line, with the name of its file."""
    del as_json  # the lines are not ours to change
    read: dict[Path, int] = {}
    try:
        while True:
            for path in sorted(LOGS.glob("*.log")):
                size = path.stat().st_size
                at = min(read.get(path, max(0, size - _TAIL_BYTES)), size)
                with path.open("rb") as file:
                    file.seek(at)
                    text = file.read()
                read[path] = at + len(text)
                for line in text.decode(errors="replace").splitlines():
                    print(f"{path.stem:<11}{line}", flush=True)
            time.sleep(0.25)
    except (KeyboardInterrupt, BrokenPipeError):
        return 0


def serve(*, as_json: bool) -> int:
    """Run the stack until SIGINT or SIGTERM."""
    del as_json

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    with suppress(KeyboardInterrupt), Stack(say=lambda line: print(line, flush=True)):
        signal.pause()
    return 0
