"""What the demo expects of its figures, and how it ends."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from local.demo import cli, story
from local.demo.figures import Failed, Figures, percentile

GOOD = Figures(
    table_items=12_000,
    documents=12_000,
    mismatches=0,
    latency_ms={"p50": 1.0, "p99": 2.0},
    records_per_s=500.0,
    typesense={"documents": 14_000, "mismatches": 0},
    counters={"counters": 40, "drift": 0},
    default_images={"entities": 300, "invalid": 0},
    mirror={"documents": 7, "mismatches": 0},
    verify={"differences": {"opensearch": 0, "typesense": 0}},
    dead_letters=5,
    poison_sent=5,
    dead_letters_replayed=5,
    parked_left=0,
    recovered_after_outage=True,
)


def test_percentiles_are_values_that_were_measured() -> None:
    """Nearest rank: half of the values are at most the p50, and the p100 is the greatest."""
    values = [float(n) for n in range(1, 201)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 100, 198, 200]
    assert percentile([7.0], 0.99) == 7.0
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_good_figures_break_nothing() -> None:
    """Only what is wrong is told."""
    assert list(GOOD.broken()) == []


def test_what_is_left_out_is_not_missed() -> None:
    """A machine that no Typesense runs on has the rest of the demo; the figures say so."""
    figures = replace(GOOD, typesense=None, left_out={"typesense": "it is no Linux"})
    assert list(figures.broken()) == []
    assert json.loads(figures.json())["left_out"] == {"typesense": "it is no Linux"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"table_items": 9_999, "documents": 9_999}, "table_items"),
        ({"documents": 11_999}, "documents"),
        ({"mismatches": 1}, "mismatches"),
        ({"mismatches": None}, "mismatches"),
        ({"typesense": None}, "typesense was not measured"),
        ({"typesense": {"documents": 14_000, "mismatches": 1}}, "typesense.mismatches is 1"),
        ({"typesense": {"documents": 0, "mismatches": 0}}, "typesense.documents is 0"),
        ({"counters": None}, "counters was not measured"),
        ({"counters": {"counters": 40, "drift": 1}}, "counters.drift is 1"),
        ({"counters": {"counters": 0, "drift": 0}}, "counters.counters is 0"),
        ({"default_images": None}, "default_images was not measured"),
        ({"mirror": {"documents": 7, "mismatches": 1}}, "mirror.mismatches is 1"),
        ({"verify": None}, "verify was not run"),
        ({"verify": {"differences": {"typesense": 2}}}, "verify found 2 differences in typesense"),
        ({"default_images": {"entities": 300, "invalid": 2}}, "default_images.invalid is 2"),
        ({"default_images": {"entities": 0, "invalid": 0}}, "default_images.entities is 0"),
        ({"latency_ms": None}, "latency_ms"),
        ({"records_per_s": None}, "records_per_s"),
        ({"dead_letters": 4}, "4 dead letters"),
        ({"dead_letters": 6}, "6 dead letters"),
        ({"dead_letters": 0, "poison_sent": 0, "dead_letters_replayed": 0}, "0 dead letters"),
        ({"dead_letters_replayed": 4}, "4 of 5 dead letters were replayed"),
        ({"parked_left": 1}, "parked_left is 1"),
        ({"parked_left": None}, "parked_left is None"),
        ({"recovered_after_outage": False}, "outage"),
        ({"recovered_after_outage": None}, "outage"),
    ],
)
def test_each_expectation_is_named_when_it_breaks(change: dict[str, Any], named: str) -> None:
    """What was not measured counts as broken, like what was measured wrong."""
    (text,) = replace(GOOD, **change).broken()
    assert named in text


def test_unmeasured_figures_break_every_expectation() -> None:
    """A story that did nothing can't succeed."""
    assert len(list(Figures().broken())) >= 5


class NoStack:
    """Just enough of a stack to begin a story on."""

    opensearch = typesense = None
    opensearch_url = typesense_url = endpoint_url = "http://127.0.0.1:1"
    typesense_api_key = "none"
    left_out: ClassVar[Mapping[str, str]] = {}
    tables: Mapping[str, str] = {"core": "c", "products": "p"}
    aliases = ("icao_aircraft", "icao_manufacturers", "products")

    def client(self, service: str) -> Any:
        return None

    def command(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the figures go, and nothing outside the test's folder."""
    monkeypatch.setattr(cli, "RESULT", tmp_path / "demo.json")
    monkeypatch.setattr(cli, "_log_to", lambda _: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return tmp_path / "demo.json"


def run(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code and output of a demo without a stack."""
    code = cli.main(["--once"], lambda _: nullcontext(cast(Any, NoStack())))
    return code, capsys.readouterr().out


def test_a_step_that_fails_makes_the_demo_fail(
    result: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code says so, the screen says why, and the figures don't look like success."""

    def fail(_: Any) -> None:
        raise Failed("the wings fell off")

    monkeypatch.setattr(story, "STEPS", (("Take off", fail),))
    code, out = run(capsys)
    assert code == 1
    assert "the wings fell off" in out
    assert json.loads(result.read_text())["failure"] == "the wings fell off"


def test_a_story_without_steps_fails(
    result: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not measured is no success, whichever step left it out."""
    monkeypatch.setattr(story, "STEPS", ())
    code, _ = run(capsys)
    assert code == 1
    assert "table_items is None" in json.loads(result.read_text())["failure"]


def test_a_bug_leaves_no_good_figures_behind(
    result: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older run's figures are gone, and the new ones name what happened."""

    def crash(_: Any) -> None:
        raise ZeroDivisionError

    result.write_text(GOOD.json())
    monkeypatch.setattr(story, "STEPS", (("Take off", crash),))
    with pytest.raises(ZeroDivisionError):
        run(capsys)
    assert json.loads(result.read_text())["failure"] == "ZeroDivisionError"


def test_a_story_that_holds_makes_the_demo_succeed(
    result: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 0, the figures in the file and on the screen."""

    def succeed(scene: Any) -> None:
        for name, value in asdict(GOOD).items():
            setattr(scene.figures, name, value)

    monkeypatch.setattr(story, "STEPS", (("Take off", succeed),))
    code, out = run(capsys)
    assert code == 0
    assert json.loads(result.read_text())["mismatches"] == 0
    assert "12,000" in out
