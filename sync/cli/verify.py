"""Draws `verify`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sync.aws.keys import Source
from sync.cli.asked import Asked
from sync.cli.calls import Answer
from sync.cli.screen import Screen

_PAGE: Final = 20_000  # items and documents of a call; each call waits for what differs to settle
_KINDS: Final = ("missing", "extra", "different")
_UNJUDGED: Final = {
    "busy": "documents are busy: their items changed at each look",
    "invalid": "items are invalid: their models refuse them",
    "untraced": "documents can't be traced to a key by their ids",
}


def verify(asked: Asked) -> int:
    """Returns 1 if something differs and was not repaired, or a sink could not be read."""
    screen = asked.screen
    counts: Counter[str] = Counter()
    checked: Counter[str] = Counter()
    differences: list[dict[str, Any]] = []
    not_compared: dict[str, str] = {}
    unread: set[str] = set()
    cursor = None
    with screen.progress("compared", asked.payload.get("limit")) as progress:
        for answer in asked.pages(_checked, size=_PAGE):
            checked.update(answer["checked"])
            counts.update({name: answer[name] for name in (*_KINDS, *_UNJUDGED, "repaired")})
            differences += answer["differences"]
            not_compared |= answer["not_compared"]
            unread.update(answer["unread"])
            cursor = answer["cursor"]
            progress.add(_checked(answer))
    left = sum(counts[kind] for kind in _KINDS) - counts["repaired"]
    if asked.as_json:
        screen.json(
            {
                "checked": checked,
                **counts,
                "not_compared": not_compared,
                "unread": sorted(unread),
                "differences": differences,
                "cursor": cursor,
            }
        )
        return _code(left, unread)
    screen.say(f"{checked['items']:,} items and {checked['documents']:,} documents compared")
    if counts["repaired"]:
        screen.say(f"{counts['repaired']:,} repaired", "green")
    kinds = ", ".join(f"{counts[kind]:,} {kind}" for kind in _KINDS if counts[kind])
    screen.say(f"{left:,} differ: {kinds}" if left else "no difference is left", _colour(left))
    for name, text in _UNJUDGED.items():
        if counts[name]:
            screen.say(f"{counts[name]:,} {text}", "yellow")
    for sink, why in sorted(not_compared.items()):
        if sink in unread:
            screen.say(f"can't be read: {sink} ({why})", "red")
        else:
            screen.say(f"not compared: {sink} ({why})", "dim")
    differences_table(screen, differences)
    screen.more(cursor)
    return _code(left, unread)


def _code(left: int, unread: set[str]) -> int:
    return 1 if left or unread else 0


def differences_table(screen: Screen, differences: Sequence[Mapping[str, Any]]) -> None:
    """The first *differences*, as `commands.parts.differences` tells them."""
    if not differences:
        return
    screen.say()
    heads = ["sink", "document", "item", "is", "fields", "now"]
    rows = [
        (
            each["sink"],
            f"{each['target']}/{each['id']}",
            None if each["table"] is None else str(Source(each["table"], each["keys"])),
            each["kind"],
            ", ".join(each["fields"]) or None,
            _now(each),
        )
        for each in differences
    ]
    screen.first(heads, rows)


def _now(each: Mapping[str, Any]) -> str:
    if each["repaired"]:
        return "repaired"
    letter = f"dead letter {each['letter']}" if each["letter"] else None
    return each["error"] or letter or "differs"


def _colour(left: int) -> str:
    return "red" if left else "green"


def _checked(answer: Answer) -> int:
    return sum(answer["checked"].values())
