"""Draws `resync` and `recount`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sync.aws.keys import Source
from sync.cli.asked import Asked
from sync.cli.calls import Answer
from sync.cli.screen import Screen

_PAGE: Final = 1_000  # keys of a call: the bar moves with each


def resync(asked: Asked) -> int:
    """Returns 1 if a key could not be brought in line."""
    screen, table = asked.screen, asked.payload["table"]
    counts: Counter[str] = Counter()
    failed: list[dict[str, Any]] = []
    cursor = None
    total = len(asked.payload.get("keys", [])) or asked.payload.get("limit")
    with screen.progress("resynced", total) as progress:
        for answer in asked.pages(_handled, size=_PAGE):
            counts.update(answer["counts"])
            failed += answer["failures"]
            cursor = answer["cursor"]
            progress.add(_handled(answer))
    if asked.as_json:
        screen.json({"counts": counts, "failures": failed, "cursor": cursor})
        return 1 if failed else 0
    for name, count in counts.items():
        style = {"failed": "red", "parked": "yellow"}.get(name, "green")
        after = ", and will be tried again by itself" if name == "parked" else ""
        screen.say(f"{count:,} {name}{after}", style)
    if not counts:
        screen.say(f"{table} holds no items", "yellow")
    _table(screen, ["item", "why"], [(_item(table, one), one["error"]) for one in failed])
    screen.more(cursor)
    return 1 if failed else 0


def recount(asked: Asked) -> int:
    """Returns 1 if something still differs."""
    screen = asked.screen
    links: list[dict[str, Any]] = []
    counters: list[dict[str, Any]] = []
    cursor = None
    with screen.progress("checked", asked.payload.get("limit")) as progress:
        for answer in asked.pages(_checked, size=_PAGE):
            links += answer["links"]
            counters += answer["counters"]
            cursor = answer["cursor"]
            progress.add(_checked(answer))
    checked = progress.done
    left = sum(not each["mended"] for each in (*links, *counters))
    if asked.as_json:
        found = {"checked": checked, "links": links, "counters": counters, "cursor": cursor}
        screen.json(found)
        return 1 if left else 0
    screen.say(f"{checked:,} links and contributions checked")
    if mended := len(links) + len(counters) - left:
        screen.say(f"{mended:,} mended", "green")
    screen.say(f"{left:,} differ" if left else "no difference is left", "red" if left else "green")
    _table(
        screen,
        ["link", "says", "counted as", "now"],
        [(_item(one["table"], one), one["said"], one["counted"], _now(one)) for one in links],
    )
    _table(
        screen,
        ["counter", "links", "held", "now"],
        [(one["counter"], one["contributing"], one["held"], _now(one)) for one in counters],
    )
    screen.more(cursor)
    return 1 if left else 0


def _table(screen: Screen, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        screen.say()
        screen.first(heads, rows)


def _now(each: Mapping[str, Any]) -> str:
    if each["mended"]:
        return "mended"
    return each.get("error") or "differs"


def _item(table: str, one: Mapping[str, Any]) -> str:
    return str(Source(table, one["keys"]))


def _handled(answer: Answer) -> int:
    return sum(answer["counts"].values())


def _checked(answer: Answer) -> int:
    checked: int = answer["checked"]
    return checked
