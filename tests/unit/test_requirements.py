"""docs/requirements.md has every requirement that something cites, each once."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "requirements.md"
TEXT = PAGE.read_text()
IGNORED = {".git", *(ROOT / ".gitignore").read_text().replace("/", "").split()}

ID = r"S\d+(?:\.\d+)?"
GAP = r"[\s#*]+"  # a comment may go on in the next line
ANCHOR = re.compile(r'<a id="([^"]*)"></a>')
IN_WORDS = re.compile(rf"\b[Rr]equirements?{GAP}({ID}(?:(?:,|{GAP}(?:to|and|or)){GAP}{ID})*)")
LINKED = re.compile(r"requirements\.md#([\w.-]*)")
LINKED_WITHIN = re.compile(r"\]\(#([^)]*)\)")
ABSENT = re.compile(rf"\bSPEC(?:\.md|{GAP}S\d)|\bDESIGN\.md")  # pages that are not here


def files() -> Iterator[tuple[str, str]]:
    """Path and text of each file of the repository, whichever folder it is in."""
    for top in sorted(path for path in ROOT.iterdir() if path.name not in IGNORED):
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and IGNORED.isdisjoint(path.relative_to(ROOT).parts):
                yield path.relative_to(ROOT).as_posix(), path.read_text(errors="replace")


def anchor(requirement: str) -> str:
    """That of `S3.2` is `s3-2`."""
    return requirement.lower().replace(".", "-")


def cited(text: str) -> list[str]:
    """The anchors that *text* cites: "requirements S3.4, S3.5", and links to the page."""
    in_words = [anchor(each) for found in IN_WORDS.findall(text) for each in re.findall(ID, found)]
    return in_words + LINKED.findall(text)


def rated() -> list[str]:
    """The requirements that the page's first table rates, with those between "S1.1 to S1.12"."""
    found = []
    for row in re.findall(r"^\| \[S\d+\]\(#s\d+\)[^|]*\|(.*)$", TEXT, re.MULTILINE):
        for section, first, last in re.findall(r"\bS(\d+)\.(\d+)(?: to S\1\.(\d+))?", row):
            found += [f"s{section}-{n}" for n in range(int(first), int(last or first) + 1)]
    return found


def test_every_requirement_stands_once() -> None:
    """In order, its anchor beside its own id."""
    anchors = ANCHOR.findall(TEXT)
    labels = re.findall(rf'^(?:## )?<a id="[^"]*"></a>(?:\*\*)?({ID}) \S', TEXT, re.MULTILINE)
    assert {"s1", "s3-2", "s5-5"} <= set(anchors)
    assert anchors == [anchor(label) for label in labels]
    assert len(anchors) == len(set(anchors))


def test_every_requirement_is_rated_once() -> None:
    """As working, working in part, or not there yet."""
    assert sorted(rated()) == sorted(each for each in ANCHOR.findall(TEXT) if "-" in each)


def test_every_citation_is_of_a_requirement_that_exists() -> None:
    """Wherever it stands, and in the page itself."""
    anchors = set(ANCHOR.findall(TEXT))
    citations = [(path, each) for path, text in files() for each in cited(text)]
    assert [(path, each) for path, each in citations if each not in anchors] == []
    assert set(LINKED_WITHIN.findall(TEXT)) <= anchors


def test_no_page_is_cited_that_is_not_here() -> None:
    """A reader of this repository can look up each citation."""
    assert [path for path, text in files() if ABSENT.search(text)] == []


@pytest.mark.parametrize(
    ("text", "anchors"),
    [
        ("(requirements S3.2)", ["s3-2"]),
        ("Requirements S3.4, on tables", ["s3-4"]),
        ("requirements S3.4 to S3.6, S5 and\n# S4.1", ["s3-4", "s3-6", "s5", "s4-1"]),
        ("as the requirements\n    S3.4 and S5 say", ["s3-4", "s5"]),
        ("[S3.2](requirements.md#s3-2), docs/requirements.md#s5", ["s3-2", "s5"]),
        ("S3 tells at least once, whatever requirements a bucket has", []),
    ],
)
def test_a_citation_is_found_however_it_is_set(text: str, anchors: list[str]) -> None:
    assert cited(text) == anchors


@pytest.mark.parametrize("text", ["as SPEC\n    # S3.1 has it", "see DESIGN" + ".md"])
def test_a_citation_of_an_absent_page_is_found(text: str) -> None:
    assert ABSENT.search(text)
