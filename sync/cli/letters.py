"""Draws `dlq …` and `recover`."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from sync.aws.keys import Source
from sync.cli.asked import Asked
from sync.cli.calls import Answer, pages
from sync.commands.dlq_list import groups

_LIST_PAGE, _WORK_PAGE = 2_000, 200  # rows of a call: the bar moves with each
_CHOICE: Final = ("sink", "model", "error", "table", "kind", "cursor", "limit")


def show_list(asked: Asked) -> int:
    screen = asked.screen
    rows: list[dict[str, Any]] = []
    cursor = None
    for answer in asked.pages(_rows, size=_LIST_PAGE):
        rows += answer["rows"]
        cursor = answer["cursor"]
    grouped = groups(rows)
    if asked.as_json:
        screen.json({"groups": grouped, "rows": rows, "cursor": cursor})
        return 0
    status = asked.payload["status"]
    if not rows:
        screen.say(f"no {status} dead letters", "green")
        return 0
    columns = ("count", "sink", "model", "error_class", "kind", "oldest", "newest")
    screen.table(
        [column.removesuffix("_class") for column in columns],
        [[dict(group)[column] for column in columns] for group in grouped],
    )
    screen.say()
    if status == "open":
        screen.say("until they are replayed, their sinks hold the older documents, or none", "dim")
    last = "error" if status == "open" else "reason"
    screen.first(
        ["id", "item", "seen", "replays", last],
        [(r["id"], _item(r), r["seen"], r["replays"], r[last]) for r in rows],
    )
    screen.more(cursor)
    return 0


def show(asked: Asked) -> int:
    screen, answer = asked.screen, asked.answer()
    if asked.as_json:
        screen.json(answer)
        return 0
    row = dict(answer["row"])
    trace = row.pop("trace", None)
    row["keys"] = _item(row)
    screen.fields(row)
    if trace:
        screen.say(f"\n{trace.rstrip()}", "dim")
    if answer["meanwhile"]:
        screen.say(f"\n{answer['meanwhile']}", "yellow")
    body = answer["body"]
    if "body_error" in answer:
        screen.say(f"\nthe body can't be had: {answer['body_error']}", "red")
    else:
        screen.say("\n" + (body if isinstance(body, str) else json.dumps(body, indent=2)))
    return 0


def replay(asked: Asked) -> int:
    """Returns 1 if a selected dead letter is still open."""
    return _work(asked, "replayed", fine=("replayed", "would be replayed"))


def discard(asked: Asked) -> int:
    """Returns 1 if a named dead letter was not open."""
    return _work(asked, "discarded", fine=("discarded", "would be discarded"))


def erase(asked: Asked) -> int:
    """Returns 0, also if there was nothing to erase."""
    screen, answer = asked.screen, asked.answer()
    if asked.as_json:
        screen.json(answer)
        return 0
    erased = answer["erased"]
    screen.say(f"{len(erased):,} erased", "green")
    if erased:
        screen.first(["id", "sink"], [(one["id"], one["sink"]) for one in erased])
    return 0


def recover(asked: Asked) -> int:
    """Returns 1 if a replayed dead letter is still open."""
    screen, answer = asked.screen, asked.answer()
    failed = [result for result in answer["results"] if result["result"] == "failed"]
    if asked.as_json:
        screen.json(answer)
        return 1 if failed else 0
    screen.say(f"{answer['looked_at']:,} open dead letters looked at")
    for name, count in answer["counts"].items():
        screen.say(f"{count:,} {name}", "red" if name == "failed" else "green")
    if answer["parked"]:
        screen.say(f"{answer['parked']:,} keys parked that a call left behind", "yellow")
    if failed:
        screen.say()
        screen.first(["id", "why"], [(one["id"], one["why"]) for one in failed])
    return 1 if failed else 0


def _work(asked: Asked, done: str, *, fine: Sequence[str]) -> int:
    """Draw the results of selected dead letters; returns 1 if one of them is not in *fine*."""
    screen = asked.screen
    results: list[dict[str, str]] = []
    cursor = None
    with screen.progress(done, _total(asked) if screen.is_watched else None) as progress:
        for answer in asked.pages(lambda answer: len(answer["results"]), size=_WORK_PAGE):
            results += answer["results"]
            cursor = answer["cursor"]
            progress.add(len(answer["results"]))
    counts = Counter(result["result"] for result in results)
    wrong = [result for result in results if result["result"] not in fine]
    if asked.as_json:
        screen.json({"results": results, "counts": dict(counts), "cursor": cursor})
        return 1 if wrong else 0
    if not results:
        screen.say("there was nothing to do", "green")
    for name, count in counts.items():
        screen.say(f"{count:,} {name}", "green" if name in fine else "red")
    if wrong:
        screen.say()
        screen.first(["id", "result", "why"], [(w["id"], w["result"], w["why"]) for w in wrong])
    screen.more(cursor)
    return 1 if wrong else 0


def _total(asked: Asked) -> int:
    """How many dead letters are selected."""
    if "ids" in asked.payload:
        return len(set(asked.payload["ids"]))
    choice = {name: asked.payload[name] for name in _CHOICE if name in asked.payload}
    listed = pages(asked.call, {"command": "dlq list", **choice}, held=_rows, size=_LIST_PAGE)
    return sum(map(_rows, listed))


def _rows(answer: Answer) -> int:
    return len(answer["rows"])


def _item(row: dict[str, Any]) -> str | None:
    return str(Source(row["table"], row["keys"])) if row.get("keys") else row.get("table")
