"""The figures of docs/proof.md, written into it from what the measuring commands kept."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from local.paths import ROOT
from tests.mutation.mutants import EXPLAINED, KILLED, SIMULATED, SURVIVED, known
from tests.simulation import planted
from tests.simulation.scenario import KINDS

PAGE: Final = ROOT / "docs" / "proof.md"
KEPT: Final = Path(__file__).parent
HISTORIES: Final = KEPT / "histories.json"
MUTANTS: Final = KEPT / "mutants.json"
REACH: Final = KEPT / "reach.json"
UNREACHED: Final = KEPT / "unreached.json"

_PART: Final = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def page(text: str) -> str:
    """*text* of docs/proof.md with each part of figures as it is measured now.

    Raises KeyError for a part that nobody writes.
    """
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n{part[3]}", text)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown; numbers are set to the right, with commas."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [all(_is_number(row[at]) for row in cells) for at in range(len(head))]
    lines = [head, ["--:" if right else "---" for right in numeric], *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1f}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _is_number(cell: str) -> bool:
    return not cell or cell[0].isdigit()


def histories() -> str:
    """How many histories were simulated, and which."""
    found = kept(HISTORIES)
    seeds = " and ".join(f"{first:,} to {last:,}" for first, last in found["seeds"])
    hours = found["seconds"] / 3600
    return (
        f"Seeds {seeds}, all new: {found['histories']:,} "
        f"histories with {found['writes']:,} writes, at least {found['fewest_writes']} in each. "
        f"**{len(found['failed'])} failed.** They took {hours:.1f} hours on {found['jobs']} cores. "
        f"Dead letters held back {found['excused']:,} of {found['places']:,} documents, in "
        f"{found['excused_histories']:,} histories, until their cause was mended.\n"
    )


def kinds() -> str:
    """How many histories there are of each kind."""
    found = kept(HISTORIES)["kinds"]
    return table(("kind of history", "histories"), ((kind, found.get(kind, 0)) for kind in KINDS))


def faults() -> str:
    """How often each call failed, and how."""
    every = kept(HISTORIES)["faults"]
    calls = {site: made for site, made in every.items() if site not in WORLD}
    columns = sorted({fault for made in calls.values() for fault in made})
    rows = [(site, *(made.get(fault, "") for fault in columns)) for site, made in calls.items()]
    return table(("call", *columns), rows)


def happenings() -> str:
    """What else went wrong, or was done, and how often."""
    every = kept(HISTORIES)["faults"]
    rows = [(what, count) for site in WORLD for what, count in every.get(site, {}).items()]
    return table(("what happened", "times"), rows)


def effort() -> str:
    """How much of each bound was used at most."""
    bounds = kept(HISTORIES)["effort"]
    return table(
        ("bound", "most that was used, in percent"),
        ((bound, round(100 * share, 1)) for bound, share in bounds.items()),
    )


def bugs() -> str:
    """The planted bugs, and how many seeds it takes to catch each."""
    seeds = planted.known()
    rows = []
    for bug, kind in planted.BUGS.items():
        first, _, _ = (bug.__doc__ or "").partition("\n")
        rows.append((f"`{bug.__name__}`", first, kind, seeds[bug.__name__]))
    return table(("planted bug", "what it does", "kind of history", "seeds until caught"), rows)


def mutants() -> str:
    """The mutation score by file and by kind of change, and why the rest is alive."""
    found: Mapping[str, Mapping[str, Mapping[str, int]]] = kept(MUTANTS)
    if not found:
        return "Not measured since the tests changed last.\n"
    files: dict[str, Counter[str]] = {}
    kinds: dict[str, Counter[str]] = {}
    total: Counter[str] = Counter()
    for file, changes in found.items():
        for kind, ends in changes.items():
            for counted in (
                files.setdefault(file, Counter()),
                kinds.setdefault(kind, Counter()),
                total,
            ):
                counted.update(ends)
    reasons = "".join(
        f"- `{file}`, `{function}`: {reason}\n" for (file, function, *_), reason in known().items()
    )
    return "\n".join(
        (
            table(("file", *_ENDS, "killed in percent"), _scores({**files, "all": total})),
            table(
                ("kind of change", *_ENDS, "killed in percent"),
                _scores(dict(sorted(kinds.items()))),
            ),
            f"Why those that are explained are alive:\n\n{reasons}",
        )
    )


def reach() -> str:
    """How much of each room no history reaches, and why."""
    found = kept(REACH)
    rooms = [(room, sums["unreached"], sums["statements"]) for room, sums in found["rooms"].items()]
    total = ("all", found["unreached"], found["statements"])
    reasons = "".join(
        f"- {', '.join(f'`{place}`' for place in one['places'])}: {one['reason']}\n"
        for one in json.loads(UNREACHED.read_text())
    )
    return (
        f"Of seeds {found['seeds']}:\n\n"
        f"{table(('room', 'statements that none reaches', 'of'), [*rooms, total])}\n"
        f"Why not:\n\n{reasons}"
    )


def _scores(counted: Mapping[str, Counter[str]]) -> Iterator[tuple[Any, ...]]:
    for name, ends in counted.items():
        dead = ends[KILLED] + ends[SIMULATED]
        counts = (ends[end] for end in _ENDS[1:])
        yield name, ends.total(), *counts, round(100 * dead / ends.total(), 1)


_ENDS: Final = ("mutants", KILLED, SIMULATED, EXPLAINED, SURVIVED)
WORLD: Final = ("world", "lambda")  # "sites" of what befalls no call
PARTS: Final = {
    part.__name__: part
    for part in (histories, kinds, faults, happenings, effort, reach, bugs, mutants)
}


def kept(path: Path) -> dict[str, Any]:
    """What a measuring command wrote to *path*."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found
