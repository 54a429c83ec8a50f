"""Which Typesense is run, and what is said where none runs."""

from pathlib import Path

import pytest

from local.errors import LocalError
from local.servers import typesense
from tests.unit.local.programs import program

pytestmark = pytest.mark.usefixtures("own_places")


def test_a_typesense_of_the_user_s_own_is_taken(tmp_path: Path) -> None:
    """Newer, or for another platform; nothing is downloaded then."""
    named = program(tmp_path / "typesense", "echo 'options: --data-dir'; exit 1")
    assert typesense.program(print, {"TYPESENSE_SERVER": str(named)}) == named


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (None, "No such file"),
        ("echo 'GLIBC_2.99 not found' >&2; exit 1", "exit code 1 and says 'GLIBC_2.99 not found'"),
    ],
)
def test_a_demanded_typesense_that_does_not_run_is_refused(
    tmp_path: Path, script: str | None, why: str
) -> None:
    """Like a demanded Java: a mistake to be told of, nothing to go on without."""
    named = tmp_path / "typesense"
    if script:
        program(named, script)
    with pytest.raises(
        LocalError, match=f"TYPESENSE_SERVER={named} can't be run: .*{why}"
    ) as refused:
        typesense.program(print, {"TYPESENSE_SERVER": str(named)})
    assert not isinstance(refused.value, typesense.NotHere)


def test_where_no_typesense_runs_is_told_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rest of the stack goes without it."""
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    with pytest.raises(
        typesense.NotHere, match="runs on Linux x86_64, and this is Darwin arm64; name one"
    ):
        typesense.program(print, {})


def test_a_packaged_typesense_that_does_not_run_here_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A Linux without its libraries, or a cache that nothing may be run from."""
    path = program(tmp_path / "typesense", "exit 127")
    path.chmod(0o644)
    monkeypatch.setattr(typesense, "install", lambda _: path)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with pytest.raises(typesense.NotHere, match="does not run on this machine .*denied"):
        typesense.program(print, {})
