"""`python -m sync recount`. It returns the exit code."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sync.aws.keys import Source
from sync.cli.calls import Call, pages
from sync.cli.screen import Screen

_PAGE: Final = 1_000  # rows of a call: the line moves with each


def recount(options: Namespace, call: Call, screen: Screen) -> int:
    """1 where something differs still."""
    links: list[dict[str, Any]] = []
    counters: list[dict[str, Any]] = []
    payload = {"command": "recount", "repair": options.repair}
    with screen.progress("checked") as progress:
        for answer in pages(call, payload, held=_checked, limit=None, size=_PAGE):
            links += answer["links"]
            counters += answer["counters"]
            progress.add(_checked(answer))
    left = sum(not each["mended"] for each in (*links, *counters))
    if options.json:
        screen.json({"checked": progress.done, "links": links, "counters": counters})
        return 1 if left else 0
    screen.say(f"{progress.done:,} links and contributions checked")
    if mended := len(links) + len(counters) - left:
        screen.say(f"{mended:,} mended", "green")
    screen.say(f"{left:,} differ" if left else "no difference is left", "red" if left else "green")
    _table(
        screen,
        ["link", "says", "counted as", "now"],
        [(_item(each), each["said"], each["counted"], _now(each)) for each in links],
    )
    _table(
        screen,
        ["counter", "links", "held", "now"],
        [(c["counter"], c["contributing"], c["held"], _now(c)) for c in counters],
    )
    return 1 if left else 0


def _table(screen: Screen, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if not rows:
        return
    screen.say()
    screen.first(heads, rows)


def _now(each: Mapping[str, Any]) -> str:
    if each["mended"]:
        return "mended"
    return each.get("error") or "differs"


def _item(link: Mapping[str, Any]) -> str:
    return str(Source(link["table"], link["keys"]))


def _checked(answer: Mapping[str, Any]) -> int:
    checked: int = answer["checked"]
    return checked
