"""The measure of the tests: kinds of mutants, and survivors with their reasons."""

import pytest

from local.paths import ROOT
from tests.mutation.cli import counts, held
from tests.mutation.measure import TESTS, near
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
