"""Figures of histories add up, as long as the code that makes them stays the same."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import kept


def figures(first: int, last: int, **more: Any) -> dict[str, Any]:
    count = last - first + 1
    return {
        "seeds": [[first, last]],
        "jobs": 2,
        "histories": count,
        "seconds": 2.0 * count,
        "failed": [],
        "writes": 60 * count,
        "fewest_writes": 50,
        "places": 10 * count,
        "excused": count,
        "excused_histories": 1,
        "kinds": {"calm": count},
        "faults": {"a.call": {"timeout": count}},
        "effort": {"tries": 0.5},
        **more,
    }


def test_figures_of_the_same_code_add_up(tmp_path: Path) -> None:
    path = tmp_path / "histories.json"
    kept.keep(path, figures(11, 20, fewest_writes=40, effort={"tries": 0.9, "rounds": 0.1}))
    kept.keep(path, figures(1, 5, kinds={"late": 5}, faults={"b.call": {"cut": 1}}, failed=[3]))
    assert json.loads(path.read_text()) == {
        "code": kept.code(),
        "seeds": [[1, 5], [11, 20]],
        "jobs": 2,
        "histories": 15,
        "seconds": 30.0,
        "failed": [3],
        "writes": 900,
        "fewest_writes": 40,
        "places": 150,
        "excused": 15,
        "excused_histories": 2,
        "kinds": {"calm": 10, "late": 5},
        "faults": {"a.call": {"timeout": 10}, "b.call": {"cut": 1}},
        "effort": {"rounds": 0.1, "tries": 0.9},
    }


def test_no_history_is_counted_twice() -> None:
    with pytest.raises(ValueError, match="kept already"):
        kept.added(figures(1, 10), figures(10, 11))


def test_figures_of_other_code_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "histories.json"
    kept.keep(path, figures(1, 5))
    monkeypatch.setattr(kept, "code", lambda: "other")
    kept.keep(path, figures(6, 7))
    assert json.loads(path.read_text())["histories"] == 2


def test_the_code_is_that_of_service_and_simulation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line anywhere else changes nothing."""
    for name in ("handler.py", "serverless.yml", "README.md", "sync/a/b.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(kept, "ROOT", tmp_path)
    monkeypatch.setattr(kept, "__file__", str(tmp_path / "sim" / "kept.py"))
    (tmp_path / "sim").mkdir()
    codes = [kept.code()]
    for name in ("README.md", "sim/cli.py", "sim/test_x.py", "sim/x.py", "sync/a/b.py"):
        (tmp_path / name).write_text("# changed")
        codes.append(kept.code())
    assert [one == other for one, other in pairwise(codes)] == [
        True,
        True,
        True,
        False,
        False,
    ]
