"""What can be told of a pattern without running it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.model.patterns import literal, literal_prefix, samples


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        (r"ICAO#AIRCRAFT", "ICAO#AIRCRAFT"),
        (r"TYPE#.+", "TYPE#"),
        (r"ab?c", "a"),
        (r"a\.b.*", "a.b"),
        (r"a|b", ""),
        (r"(?i)abc", ""),
        (r".*", ""),
        (r"", ""),
        (r"IMAGES#(ORG|USER)#.+", "IMAGES#"),
        (r"x{2}y", "x" * 0),
    ],
)
def test_literal_prefix_is_what_every_match_begins_with(pattern: str, prefix: str) -> None:
    """Optional, repeated, alternative and case-blind parts end the prefix."""
    assert literal_prefix(pattern) == prefix


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        *((r"FAA#LINKS", "FAA#LINKS"), (r"a\.b", "a.b"), (r"", "")),
        *((r"FAA#LINKS.*", None), (r"(?i)abc", None), (r"a|b", None), (r"ab?", None)),
    ],
)
def test_a_literal_pattern_matches_one_text_alone(pattern: str, text: str | None) -> None:
    """A partition that a pattern names can be queried; others would be missed."""
    assert literal(pattern) == text


PIECES = st.sampled_from(
    [
        "a",
        "B",
        "#",
        r"\.",
        "[A-Z]",
        "[^#]",
        r"\d",
        ".",
        "(x|y)",
        "a?",
        "b*",
        ".+",
        "[ab]{2,3}",
        "(?:cd)+",
    ]
)
PATTERNS = st.lists(PIECES, max_size=6).map("".join)


@given(PATTERNS)
def test_every_sample_matches_its_pattern(pattern: str) -> None:
    """A sample is a proof that a key can match, so it has to match."""
    for text in samples(pattern):
        assert re.fullmatch(pattern, text, re.DOTALL)


@given(PATTERNS, st.text("aBcdxy#.0Z", max_size=12))
def test_a_match_begins_with_the_literal_prefix(pattern: str, text: str) -> None:
    """Otherwise the registry would miss it."""
    if re.fullmatch(pattern, text, re.DOTALL):
        assert text.startswith(literal_prefix(pattern))


@given(PATTERNS)
def test_common_patterns_have_samples(pattern: str) -> None:
    """Without one, an overlap at start goes unseen."""
    assert samples(pattern)
