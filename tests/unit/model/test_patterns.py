"""What a regular expression says of the texts that it matches, on each Python there is."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.model import patterns
from sync.model.patterns import literal, literal_prefix, samples
from tests.settings import ENV

ROOT = Path(__file__).parents[3]

PREFIXES = {
    r"ICAO#AIRCRAFT": "ICAO#AIRCRAFT",
    r"TYPE#.+": "TYPE#",
    r"ab?c": "a",
    r"a\.b.*": "a.b",
    r"a|b": "",
    r"(?i)abc": "",
    r".*": "",
    r"": "",
    r"IMAGES#(ORG|USER)#.+": "IMAGES#",
    r"x{2}y": "",
}
LITERALS = {
    r"FAA#LINKS": "FAA#LINKS",
    r"a\.b": "a.b",
    r"\\\#é": r"\#é",
    r"": "",
    r"FAA#LINKS.*": None,
    r"(?i)abc": None,
    r"a|b": None,
    r"ab?": None,
    r"\d": None,
}
SAMPLES = {
    r"ICAO#AIRCRAFT": ["ICAO#AIRCRAFT"],
    r"TYPE#.+": ["TYPE#x", "TYPE#xx", "TYPE#xxx"],
    r"(x|y)[A-Z]?": ["x", "yA", "xA"],
    r"[^#]\d*?": ["x", "x0", "x00"],
    r"(?:cd)+\w{2}\s": ["cdaa ", "cdcdaa ", "cdcdcdaa "],
    r"[^ab]++b": ["0b", "00b", "000b"],
    r"^[^x]$": ["y"],
    r"(a)\1": [],  # a reference to a group
}


@pytest.mark.parametrize(("pattern", "prefix"), PREFIXES.items())
def test_literal_prefix_is_what_every_match_begins_with(pattern: str, prefix: str) -> None:
    """Optional, repeated, alternative and case-blind parts end the prefix."""
    assert literal_prefix(pattern) == prefix


@pytest.mark.parametrize(("pattern", "text"), LITERALS.items())
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


@given(st.text("aé_1#. \n\\", max_size=6))
def test_a_literal_pattern_is_its_own_prefix_and_sample(pattern: str) -> None:
    """Two ways to read a pattern agree, whatever is escaped."""
    text = literal(pattern)
    if text is not None:
        assert re.fullmatch(pattern, text, re.DOTALL)
        assert (literal_prefix(pattern), samples(pattern)) == (text, (text,))


# ── The parser is private to the standard library ─────────────────────────────────────────────────

MINORS = sorted({11, 12, 13, 14, sys.version_info.minor})

ANSWERS = """
import json, runpy, sys
patterns = runpy.run_path(sys.argv[1])
print(json.dumps([
    [patterns[name](text) for text in texts] for name, texts in json.load(sys.stdin).items()
]))
"""


def interpreters(minor: int) -> Iterator[str]:
    """Where a Python 3.*minor* may be; pyenv's entries on PATH may be none that runs."""
    name = f"python3.{minor}"
    if minor == sys.version_info.minor:
        yield sys.executable
    if found := shutil.which(name):
        yield found
    yield from map(str, Path.home().glob(f".pyenv/versions/*/bin/{name}"))


def runs(interpreter: str, minor: int) -> bool:
    asked = [interpreter, "-I", "-c", "import sys; print(*sys.version_info[:2])"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.split() == ["3", str(minor)]


@pytest.mark.parametrize("minor", MINORS)
def test_each_python_parses_patterns_alike(minor: int) -> None:
    """What another Python renames would silently leave overlaps unseen until run time."""
    python = next((path for path in interpreters(minor) if runs(path, minor)), None)
    if python is None:
        pytest.skip(f"no Python 3.{minor} is installed")
    asked = {"literal_prefix": [*PREFIXES], "literal": [*LITERALS], "samples": [*SAMPLES]}
    done = subprocess.run(
        [python, "-I", "-c", ANSWERS, str(patterns.__file__)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    wanted = [[*PREFIXES.values()], [*LITERALS.values()], [*SAMPLES.values()]]
    assert json.loads(done.stdout) == wanted


START = """
import re, sys
from re import _constants
if sys.argv[1] in vars(_constants):
    delattr(_constants, sys.argv[1])
else:
    sys.modules[sys.argv[1]] = None  # importing it raises ImportError

import os
from sync.aws.clients import client
from sync.model import Model, route
from sync.model.patterns import CAN_PARSE, literal, literal_prefix, samples
from sync.model.registry import Registry
from sync.errors import RegistryError
from sync.runtime.clock import SystemClock
from sync.service import Service

assert not CAN_PARSE
assert (literal_prefix("TYPE#.+"), samples("TYPE#.+")) == ("", ())
assert (literal("FAA#LINKS"), literal("FAA#.+")) == ("FAA#LINKS", None)

def keys(pk, sk):
    return {"PK": {"S": pk}, "SK": {"S": sk}}

registry = Service(os.environ, client, SystemClock()).registry
found = registry.match("stream-sync-test-core", keys("ICAO#AIRCRAFT", "TYPE#A320#AIRBUS#A-320"))
assert found.model.__name__ == "IcaoAircraft"
assert registry.match("stream-sync-test-core", keys("ICAO#OTHER", "TYPE#A320")) is None

@route("t", PK="A#.+", into={})
class One(Model): pass

@route("t", PK="A#B.+", into={})
class Other(Model): pass

registry = Registry([One, Other], {"t": "t"})
assert registry.match("t", {"PK": {"S": "A#C"}}).model is One
try:
    registry.match("t", {"PK": {"S": "A#B1"}})
except RegistryError as error:
    print(error)
"""


@pytest.mark.parametrize("missing", ["re._parser", "re._constants", "POSSESSIVE_REPEAT"])
def test_without_the_parser_the_service_starts_and_finds_overlaps_at_run_time(missing: str) -> None:
    """On a Python that moved, removed or renamed what is private to it; the log says so."""
    done = subprocess.run(
        [sys.executable, "-c", START, missing],
        cwd=ROOT,
        env={**os.environ, **ENV},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    *logged, said = done.stdout.splitlines()
    assert "is wanted by more than one model: One, Other" in said
    lines: list[dict[str, Any]] = [json.loads(line) for line in logged]
    assert {line["level"] for line in lines} == {"WARNING"}
    assert "overlaps are not refused" in lines[0]["message"]
