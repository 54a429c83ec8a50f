"""`python -m local.demo [--once] [--json]`: brings the stack up, tells the story, leaves it up."""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from local.demo.figures import Failed, Figures
from local.demo.scene import Scene
from local.demo.screen import Screen
from local.demo.stack import LocalStack
from local.demo.story import tell
from local.errors import LocalError
from local.paths import STATE
from local.stack import Stack

RESULT: Final = STATE / "demo.json"
_LOGS: Final = STATE / "logs"
_INTERRUPTED: Final = 130  # what a shell reports after Ctrl-C

OpenStack = Callable[[Callable[[str], None]], AbstractContextManager[LocalStack]]


def main(
    arguments: Sequence[str] | None = None,
    open_stack: OpenStack = lambda say: Stack(say=say),
) -> int:
    """Run the demo; returns 0 only if every expectation was met.

    *open_stack* takes a function that shows a line of progress.
    """
    options = _parser().parse_args(arguments)
    screen = Screen(Console(stderr=options.json, highlight=False))
    signal.signal(signal.SIGTERM, _terminated)  # so that the stack is stopped too
    RESULT.unlink(missing_ok=True)  # remove the figures of an older run
    _log_to(_LOGS / "demo.log")
    try:
        screen.step("Bring the stack up: AWS emulator, OpenSearch, Typesense, deployment")
        with open_stack(screen.say) as stack:
            figures = _run(stack, screen)
            if options.json:
                print(figures.json())
            if figures.failure is None and not options.once:
                _leave_up(stack, screen)
    except LocalError as error:
        screen.bad(str(error))
        return 1
    except KeyboardInterrupt:
        screen.say("stopped; everything is taken down")
        return _INTERRUPTED
    return 0 if figures.failure is None else 1


def _run(stack: LocalStack, screen: Screen) -> Figures:
    """Run every step, and write the figures, even if a step fails."""
    scene = Scene.of(stack, screen)
    figures = scene.figures
    try:
        tell(scene)
        if broken := list(figures.broken()):
            raise Failed("; ".join(broken))
    except LocalError as error:
        figures.failure = str(error)
        screen.bad(figures.failure)
        screen.say(f"{_short(_LOGS)} holds what the function, the delivery and the servers said")
    except BaseException as error:
        figures.failure = type(error).__name__  # interrupted, or a bug; the caller reports it
        raise
    finally:
        figures.write(RESULT)
    if figures.failure is None:
        _summary(figures, screen)
    return figures


def _summary(figures: Figures, screen: Screen) -> None:
    latency = figures.latency_ms or {}
    typesense = figures.typesense or {}
    counters, images = figures.counters or {}, figures.default_images or {}
    differences = (figures.verify or {}).get("differences", {})
    screen.step("Summary")
    screen.table(
        ["", ""],
        [
            ("items for OpenSearch", f"{figures.table_items:,}"),
            ("documents in OpenSearch / mismatches", _pair(figures.documents, figures.mismatches)),
            (
                "documents in Typesense / mismatches",
                _pair(*typesense.values()) if typesense else "left out",
            ),
            ("documents of the mirror / mismatches", _pair(*(figures.mirror or {}).values())),
            ("differences that verify found", f"{sum(differences.values()):,}"),
            ("counters / drift from a recount", _pair(*counters.values())),
            ("entities with images / wrong defaults", _pair(*images.values())),
            ("write to searchable, p50", f"{latency.get('p50', 0):,.0f} ms"),
            ("write to searchable, p99", f"{latency.get('p99', 0):,.0f} ms"),
            ("load, write to all in step", f"{figures.records_per_s:,.0f} records/s"),
            ("poison records / dead letters", f"{figures.poison_sent} / {figures.dead_letters}"),
            ("dead letters replayed", f"{figures.dead_letters_replayed}"),
            ("keys still parked", f"{figures.parked_left}"),
            ("recovered after the outages", "yes" if figures.recovered_after_outage else "no"),
        ],
    )
    screen.say(f"figures: {_short(RESULT)}")


def _pair(count: int | None = None, wrong: int | None = None) -> str:
    return f"{count or 0:,} / {wrong or 0:,}"


def _leave_up(stack: LocalStack, screen: Screen) -> None:
    """Show what can be tried on the running stack, and keep it up until Ctrl-C."""
    aliases = ", ".join(stack.aliases)
    key = f"-H 'X-TYPESENSE-API-KEY: {stack.typesense_api_key}'"
    registry = f"{stack.typesense_url}/collections/registry/documents/search"
    screen.step("Try next, in another terminal; Ctrl-C here takes everything down")
    screen.say(f"curl '{stack.opensearch_url}/products/_search?q=headset&pretty'")
    screen.say(f"curl '{stack.opensearch_url}/icao_aircraft/_search?q=model:concorde&pretty'")
    if not stack.left_out:
        screen.say(f"curl {key} '{registry}?q=blue+ridge&query_by=name'")
    screen.say(f"search any of {aliases}; the AWS emulator answers at {stack.endpoint_url}")
    screen.say(".venv/bin/python -m sync status --stage local      sinks, parked keys, letters")
    screen.say(".venv/bin/python -m sync dlq list --status replayed --stage local")
    screen.say("less .local/dead-letters.jsonl    what the poison became")
    screen.say("make logs                         what the functions and servers say")
    screen.say("make down                         the same as Ctrl-C here")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        screen.say("taking everything down")


def _log_to(path: Path) -> None:
    """Log to *path* instead of the screen, for example each delivery that is tried again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )


def _terminated(number: int, frame: FrameType | None) -> None:
    del frame
    sys.exit(128 + number)


def _short(path: os.PathLike[str]) -> str:
    return os.path.relpath(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="clean up and exit at the end")
    parser.add_argument("--json", action="store_true", help="print the figures on stdout")
    return parser
