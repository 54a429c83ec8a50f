"""docs/proof.md has the figures that were measured, and no others."""

from collections import Counter

import pytest

from tests.measured import figures
from tests.mutation.cli import held


def test_the_page_is_what_make_proof_writes() -> None:
    """No figure is written by hand, or is of an older measurement than those that are kept."""
    text = figures.PAGE.read_text()
    assert figures.page(text) == text
    for part in figures.PARTS:
        assert text.count(f"<!-- figures: {part} -->") == 1


def test_the_histories_that_are_shown_have_all_gone_well() -> None:
    kept = figures.kept(figures.HISTORIES)
    seeds = [last - first + 1 for first, last in kept["seeds"]]
    assert kept["failed"] == []
    assert kept["histories"] == sum(seeds) == Counter(kept["kinds"]).total()


def test_the_score_is_of_files_that_are_held() -> None:
    """None that is gone is shown."""
    assert set(figures.kept(figures.MUTANTS)) <= set(held())


def test_tables_set_numbers_to_the_right() -> None:
    shown = figures.table(("a", "b", "c"), [("x|y", 1234, 1.0), ("z", "", 10.0)])
    assert shown.splitlines() == [
        "| a | b | c |",
        "| --- | --: | --: |",
        "| x\\|y | 1,234 | 1.0 |",
        "| z |  | 10.0 |",
    ]


def test_a_part_that_nobody_writes_is_an_error() -> None:
    with pytest.raises(KeyError, match="weather"):
        figures.page("<!-- figures: weather -->\n<!-- end -->\n")
