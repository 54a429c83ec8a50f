"""The measure of what the simulated histories reach, and the reasons for what they don't."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.paths import ROOT
from tests.measured.reach import (
    MODULE,
    Function,
    Reason,
    around,
    counted,
    judged,
    known,
    report,
    room_of,
    text,
)

SMALL = """\
LIMIT = 3


class Box:
    def put(self, n):
        if n > LIMIT:
            return "too many"
        return "fine"

    def take(self):
        def give():
            return None

        return give()


Box().put(1)
"""

PUT = Function("sync/a/box.py", "Box.put", (7,), 3)
REST = Function("sync/a/box.py", MODULE, (), 5)
TAKE = Function("sync/b.py", "take", (1, 2), 2)


def test_what_ran_is_counted_by_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Methods and inner functions by their qualified names, and the rest of the module."""
    (tmp_path / "box.py").write_text(SMALL)
    data = tmp_path / "data"
    program = "-m", "coverage", "run", "--rcfile=", f"--data-file={data}", "--parallel-mode"
    subprocess.run([sys.executable, *program, "box.py"], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tests.measured.reach.ROOT", tmp_path)
    assert counted(str(data)) == [
        Function("box.py", "Box.put", (7,), 3),
        Function("box.py", "Box.take", (11, 14), 2),
        Function("box.py", "Box.take.give", (12,), 1),
        Function("box.py", MODULE, (), 5),
    ]


def test_what_nobody_reached_needs_a_reason() -> None:
    verdict = judged([PUT, REST, TAKE], [Reason(("sync/a/box.py::Box.put",), "why", ())])
    assert verdict.unexplained == (TAKE,)
    assert verdict.stale == ()


@pytest.mark.parametrize("place", ["sync/a/box.py::Box.put", "sync/a/box.py", "sync/a/", "sync/"])
def test_a_reason_is_of_a_function_a_file_or_a_folder(place: str) -> None:
    reason = Reason((place,), "why", ("tests/unit",))
    verdict = judged([PUT, REST], [reason])
    assert (verdict.unexplained, verdict.stale) == ((), ())
    assert verdict.reasons == {PUT.place: reason}


def test_the_nearest_reason_holds() -> None:
    near, far = Reason((PUT.place,), "near", ()), Reason(("sync/",), "far", ())
    assert judged([PUT, TAKE], [far, near]).reasons == {PUT.place: near, TAKE.place: far}


@pytest.mark.parametrize("place", ["sync/a/box.py::(module)", "sync/a/box.py::gone", "sync/c/"])
def test_a_reason_for_what_is_reached_or_gone_is_stale(place: str) -> None:
    assert judged([REST], [Reason((place,), "why", ())]).stale == (place,)


def test_what_histories_seldom_reach_may_be_reached() -> None:
    """But it has to be there."""
    places = "sync/a/box.py::(module)", "sync/a/box.py::gone"
    assert judged([REST], [Reason(places, "why", (), seldom=True)]).stale == places[1:]


def test_all_that_was_found_is_told() -> None:
    """As JSON, and in short."""
    verdict = judged([PUT, REST, TAKE], [Reason((PUT.place, "sync/c/"), "why", ("tests/unit",))])
    found = json.loads(json.dumps(report(verdict, "1-2", 3)))
    assert (found["unreached"], found["statements"]) == (3, 10)
    assert found["rooms"]["sync/a"] == {"unreached": 1, "statements": 8}
    assert [(one["function"], one["lines"], one["reason"]) for one in found["functions"]] == [
        ("Box.put", [7], "why"),
        ("take", [1, 2], None),
    ]
    assert found["stale"] == ["sync/c/"]
    told = text(verdict, 3)
    assert "no reason: sync/b.py::take, 2 of 2 statements" in told
    assert "nothing to explain: sync/c/" in told
    assert "3 of 10 statements unreached (30.0%)" in told


def test_rooms_are_folders_of_the_service() -> None:
    assert [room_of(file) for file in ("sync/a/b/c.py", "sync/config.py", "handler.py")] == [
        "sync/a",
        "sync/config.py",
        "handler.py",
    ]


def _functions(node: ast.AST, inside: str = "") -> Iterator[str]:
    """The qualified names of the functions in *node*, as coverage.py has them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{inside}{child.name}"
            if not isinstance(child, ast.ClassDef):
                yield name
            yield from _functions(child, f"{name}.")
        else:
            yield from _functions(child, inside)


def _places() -> Iterator[str]:
    """All functions of the service, its files, and its folders."""
    for path in [*(ROOT / "sync").rglob("*.py"), ROOT / "handler.py"]:
        file = str(path.relative_to(ROOT))
        for name in (MODULE, *_functions(ast.parse(path.read_text()))):
            yield from around(Function(file, name, (), 0))


def test_each_reason_is_about_something_that_there_is() -> None:
    """No place twice, and no test that is gone."""
    named = [place for reason in known() for place in reason.places]
    assert len(set(named)) == len(named)
    assert set(named) - set(_places()) == set()
    assert {test for one in known() for test in one.tests if not (ROOT / test).exists()} == set()
    assert all(one.reason for one in known())
