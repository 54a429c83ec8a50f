"""`python -m sync dlq …`. Each returns the exit code."""

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sync.aws.keys import Source
from sync.cli.calls import Call, pages
from sync.cli.keys import parse_key
from sync.cli.screen import Screen
from sync.commands.dead_letters import groups

FILTERS: Final = ("sink", "model", "error", "table", "kind")
_LIST_PAGE, _REPLAY_PAGE = 2_000, 200  # small enough for the bar to move
_COLUMNS: Final = ("sink", "model", "error_class", "kind", "oldest", "newest")  # of groups


def show_list(options: Namespace, call: Call, screen: Screen) -> int:
    rows = list(_rows(options, call, options.limit))
    grouped = groups(rows)
    if options.json:
        screen.json({"groups": grouped, "rows": rows})
        return 0
    if not rows:
        screen.say(f"no {options.status} dead letters", "green")
        return 0
    screen.table(
        ["count", "sink", "model", "error", "kind", "oldest", "newest"],
        [
            (
                g["count"],
                g["sink"],
                g["model"],
                g["error_class"],
                g["kind"],
                g["oldest"],
                g["newest"],
            )
            for g in grouped
        ],
    )
    screen.say()
    if options.status == "open":
        screen.say("until they are replayed, their sinks hold the older documents, or none", "dim")
    last = "error" if options.status == "open" else "reason"
    screen.first(
        ["id", "item", "seen", "replays", last],
        [(r["id"], _item(r), r["seen"], r["replays"], r[last]) for r in rows],
    )
    return 0


def show(options: Namespace, call: Call, screen: Screen) -> int:
    answer = call({"command": "dlq show", "id": options.id})
    if options.json:
        screen.json(answer)
        return 0
    row = dict(answer["row"])
    trace = row.pop("trace", None)
    row["keys"] = _item(row)
    for name, value in row.items():
        screen.say(f"{screen.paint(f'{name:<12}', 'bold')} {value}")
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


def replay(options: Namespace, call: Call, screen: Screen) -> int:
    """1 where a dead letter that was meant is open still."""
    payload: dict[str, Any] = {"command": "dlq replay", "dry_run": options.dry_run}
    if options.ids:
        payload["ids"] = options.ids
        total = len(set(options.ids))
    else:
        payload |= {"all": options.all, **_filters(options)}
        if not (options.all or _filters(options)):
            call(payload)  # which says what is missing
        options.status = "open"
        total = sum(1 for _ in _rows(options, call, options.limit))
    results: list[dict[str, str]] = []
    with screen.progress("replayed", total) as progress:
        for answer in pages(
            call,
            payload,
            held=lambda answer: len(answer["results"]),
            limit=options.limit,
            size=_REPLAY_PAGE,
        ):
            results += answer["results"]
            progress.add(len(answer["results"]))
    return _tell(results, screen, as_json=options.json, fine=("replayed", "would be replayed"))


def discard(options: Namespace, call: Call, screen: Screen) -> int:
    """1 where one of them was not open."""
    answer = call({"command": "dlq discard", "ids": options.ids, "reason": options.reason})
    return _tell(answer["results"], screen, as_json=options.json, fine=("discarded",))


def erase(options: Namespace, call: Call, screen: Screen) -> int:
    """0, also where there was nothing to erase."""
    keys = [parse_key(text) for text in options.key]
    answer = call({"command": "dlq erase", "table": options.table, "keys": keys})
    if options.json:
        screen.json(answer)
        return 0
    erased = answer["erased"]
    screen.say(f"{len(erased):,} erased", "green")
    if erased:
        screen.first(["id", "sink"], [(one["id"], one["sink"]) for one in erased])
    return 0


def _tell(
    results: Sequence[dict[str, str]], screen: Screen, *, as_json: bool, fine: Sequence[str]
) -> int:
    counts = Counter(result["result"] for result in results)
    wrong = [result for result in results if result["result"] not in fine]
    if as_json:
        screen.json({"results": results, "counts": dict(counts)})
        return 1 if wrong else 0
    if not results:
        screen.say("there was nothing to do", "green")
    for name, count in counts.items():
        screen.say(f"{count:,} {name}", "green" if name in fine else "red")
    if wrong:
        screen.say()
        screen.first(["id", "result", "why"], [(w["id"], w["result"], w["why"]) for w in wrong])
    return 1 if wrong else 0


def _rows(options: Namespace, call: Call, limit: int | None) -> Iterator[dict[str, Any]]:
    payload = {"command": "dlq list", "status": options.status, **_filters(options)}
    for answer in pages(
        call, payload, held=lambda answer: len(answer["rows"]), limit=limit, size=_LIST_PAGE
    ):
        yield from answer["rows"]


def _filters(options: Namespace) -> dict[str, str]:
    return {name: value for name in FILTERS if (value := getattr(options, name))}


def _item(row: dict[str, Any]) -> str | None:
    return str(Source(row["table"], row["keys"])) if row.get("keys") else row.get("table")
