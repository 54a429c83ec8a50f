"""What must not change: message schemas, ids, lanes, rows, settings, commands; kept as files.

Each JSON file of this folder records what the service does at one of its boundaries. `files.py`
lists the function that builds each file; `test_golden.py` builds them again and compares.
`python -m tests.golden` writes the files anew; `git diff` then shows what changes for those who
send to the service, read from it, or run it.

`subjects.py` is the only file here that imports the service. When the inside of the service is
rearranged, adapt that file; the JSON files must stay as they are.

Messages outlive releases, so the recorded ones are also read: `parked_read.json` records what the
service does with the bodies in `parked.json`; `lanes_read.json` and `rows.json` do the same.

Sentences for people (error messages, reasons, traces) are replaced by "<text>", random ids by
"<random>", long texts and lists by their length and a digest.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
AGAIN: Final = "python -m tests.golden"
WIDTH: Final = 100

Json = Any


def path(name: str) -> Path:
    return FOLDER / f"{name}.json"


def golden(name: str) -> Json:
    """The content of the golden file *name*."""
    return json.loads(path(name).read_text())


def as_text(value: Json) -> str:
    """*value* as a golden file holds it: sorted, and on one line what fits on it. In ASCII: half a
    surrogate pair has no other form."""
    return "\n".join(_lines(value, "", "")) + "\n"


def _lines(value: Json, before: str, after: str) -> Iterator[str]:
    """The lines of *value*, with *before* in front of it and *after* behind it."""
    line = f"{before}{json.dumps(value, sort_keys=True)}{after}"
    if len(line) <= WIDTH or not value or not isinstance(value, dict | list):
        yield line
        return
    indent = " " * (len(before) - len(before.lstrip()) + 2)
    names = sorted(value) if isinstance(value, dict) else range(len(value))
    brackets = "{}" if isinstance(value, dict) else "[]"
    yield before + brackets[0]
    for n, name in enumerate(names, 1):
        head = f"{json.dumps(name)}: " if isinstance(value, dict) else ""
        yield from _lines(value[name], indent + head, "," if n < len(names) else "")
    yield f"{indent[2:]}{brackets[1]}{after}"


def differences(was: Json, now: Json, *, grows: bool, place: str = "") -> Iterator[str]:
    """Where *now* differs from what *was*. *grows*: objects may have more names than before."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in sorted({*was, *now}):
            at = f"{place}/{name}"
            if name not in now:
                yield f"{at} is gone, it was {_shown(was[name])}"
            elif name in was:
                yield from differences(was[name], now[name], grows=grows, place=at)
            elif not grows:
                yield f"{at} is new: {_shown(now[name])}"
    elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        for n, (one, other) in enumerate(zip(was, now, strict=True)):
            yield from differences(one, other, grows=grows, place=f"{place}/{n}")
    elif type(was) is not type(now) or was != now:
        yield f"{place} was {_shown(was)}, and is {_shown(now)}"


def _shown(value: Json) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 300 else f"{text[:300]}…"
