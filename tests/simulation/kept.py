"""The figures of histories, kept in a file that further runs of the same code add to."""

import hashlib
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from local.paths import ROOT

SUMS: Final = ("seconds", "histories", "writes", "places", "excused", "excused_histories")
BESIDE: Final = ("__main__", "cli", "conftest", "kept", "planted", "test_")
"""Files of the simulation whose names begin so have no part in how a history goes."""


def code() -> str:
    """A hash of all code that decides how a history goes: the service, and the simulation."""
    files = [ROOT / "handler.py", ROOT / "serverless.yml", *ROOT.glob("sync/**/*.py")]
    files += [
        path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith(BESIDE)
    ]
    found = hashlib.sha256()
    for path in sorted(files):
        found.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def keep(path: Path, figures: dict[str, Any]) -> None:
    """Add *figures* to those in the file at *path*, or replace them if they are of other code.

    Raises ValueError where histories would be counted twice.
    """
    figures = {"code": code(), **figures}
    if path.exists():
        kept = json.loads(path.read_text())
        if kept["code"] == figures["code"]:
            figures = added(kept, figures)
    path.write_text(json.dumps(figures, indent=1) + "\n")


def added(kept: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """The figures of both. Raises ValueError if they share a seed."""
    seeds = sorted([*kept["seeds"], *more["seeds"]])
    for (_, last), (first, _) in pairwise(seeds):
        if first <= last:
            raise ValueError(f"the seeds {first}-{last} are kept already")
    faults = {site: Counter(made) for site, made in kept["faults"].items()}
    for site, made in more["faults"].items():
        faults.setdefault(site, Counter()).update(made)
    effort = {**kept["effort"], **more["effort"]}
    return {
        **more,
        "seeds": seeds,
        **{name: kept[name] + more[name] for name in SUMS},
        "failed": [*kept["failed"], *more["failed"]],
        "fewest_writes": min(kept["fewest_writes"], more["fewest_writes"]),
        "kinds": dict(sorted((Counter(kept["kinds"]) + Counter(more["kinds"])).items())),
        "faults": {site: dict(sorted(made.items())) for site, made in sorted(faults.items())},
        "effort": {
            bound: max(kept["effort"].get(bound, 0.0), more["effort"].get(bound, 0.0))
            for bound in sorted(effort)
        },
    }
