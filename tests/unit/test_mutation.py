"""The measure of the tests: kinds of mutants, and survivors with their reasons."""

from pathlib import Path

import pytest

from local.paths import ROOT
from tests.mutation.cli import counts, held
from tests.mutation.measure import TESTS, NotMeasured, near, passes
from tests.mutation.mutants import EXPLAINED, KILLED, SURVIVED, Mutant, explained, kind_of, known

CHANGES = {
    ("if a < b:", "if a <= b:"): "comparison",
    ("if a is None:", "if a is not None:"): "comparison",
    ("if a and b:", "if a or b:"): "logic",
    ("if not a:", "if a:"): "logic",
    ("f(a=True)", "f(a=False)"): "logic",
    ("x = a if b else c", "x = a if (b) or True else c"): "branch",
    ("continue", "break"): "flow",
    ("wait(4)", "wait(5)"): "number",
    ('log("gone")', 'log("XXgoneXX")'): "text",
    ("x = a + b", "x = a - b"): "arithmetic",
    ("count += 1", "count -= 1"): "arithmetic",
    ("count += 1", "count = 1"): "arithmetic",
    ("x = f(a)", "x = None"): "assignment",
    ("x = f(a, b)", "x = f(a, None)"): "argument",
    ("f(a, b)", "f(b)"): "argument",
    ("f(\na,\nb,", "f(\na,"): "argument",
}


def test_the_tests_of_a_file_are_those_of_its_room() -> None:
    """They come first; where a room has none, all do."""
    both = ["sync/writing/breaker.py", "sync/sinks/counters/rows.py"]
    assert near(both) == ["tests/unit/sinks", "tests/unit/writing"]
    assert near([*both, "sync/errors.py"]) == sorted(TESTS)


@pytest.mark.parametrize(("change", "kind"), CHANGES.items())
def test_a_change_has_a_kind(change: tuple[str, str], kind: str) -> None:
    """Told from its lines alone, which may be parts of statements."""
    assert kind_of(*change) == kind


@pytest.mark.parametrize(
    ("body", "good"),
    [
        ("pass", True),
        ("assert False", False),
        # An error at the very end, after the summary, when pytest itself has no tests left.
        ("gc.disable(); kept = [socket.socket()]; kept.append(kept)", False),
    ],
)
def test_a_crash_of_pytest_is_looked_into(body: str, good: bool, tmp_path: Path) -> None:
    """A connection that a mutant leaves open ends pytest's process as if it had run nothing."""
    (tmp_path / "pyproject.toml").write_text('[tool.pytest]\nfilterwarnings = ["error"]\n')
    (tmp_path / "test_it.py").write_text(
        f"import gc, socket\n\nimport pytest\n\n\ndef test_it():\n    {body}\n"
    )
    assert passes("m.x_f__mutmut_1", ["test_it.py"], tmp_path) == good


def test_tests_that_cannot_run_measure_nothing(tmp_path: Path) -> None:
    """Else a mutant would count as killed by them."""
    with pytest.raises(NotMeasured, match=r"m\.x_f__mutmut_1: pytest could not run its tests"):
        passes("m.x_f__mutmut_1", ["missing.py"], tmp_path)


def test_only_a_known_survivor_is_explained() -> None:
    """By what it changes and where: its number shifts with each edit of the function."""
    one = Mutant("m.x_f__mutmut_1", "m.py", "f", "a < b", "a <= b", SURVIVED)
    other = Mutant("m.x_g__mutmut_1", "m.py", "g", "a < b", "a <= b", SURVIVED)
    marked = explained([one, other], {("m.py", "f", "a < b", "a <= b"): "they are never equal"})
    assert [mutant.end for mutant in marked] == [EXPLAINED, SURVIVED]
    assert counts(marked, "file")["m.py"]["score"] == 0.0


def test_a_mutant_that_is_killed_stays_killed() -> None:
    """Though a reason stands there still."""
    one = Mutant("m.x_f__mutmut_1", "m.py", "f", "a < b", "a <= b", KILLED)
    (marked,) = explained([one], {one.change: "no longer true"})
    assert marked.end == KILLED


def test_each_reason_is_about_lines_that_stand_in_a_held_file() -> None:
    """A line that was edited has to be measured and explained anew."""
    for (file, function, before, after), reason in known().items():
        lines = {line.strip() for line in (ROOT / file).read_text().splitlines()}
        assert file in held(), file
        assert set(before.splitlines()) <= lines, (file, function, before)
        assert before != after
        assert len(reason) > 20, reason
