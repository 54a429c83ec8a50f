"""Has mutmut make and run the mutants of files, in a copy of the project; then the simulation."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

from local.paths import ROOT
from tests.mutation.mutants import KILLED, SIMULATED, SURVIVED, Change, Mutant

FOLDER: Final = ROOT / ".local" / "mutation"

TESTS: Final = (
    "tests/golden",
    "tests/properties/test_core_stream.py",
    "tests/properties/test_counters.py",
    "tests/properties/test_default_image.py",
    "tests/properties/test_mirror.py",
    "tests/unit/aws/test_clients.py",
    "tests/unit/aws/test_items.py",
    "tests/unit/aws/test_transactions.py",
    "tests/unit/commands",
    "tests/unit/deadletters",
    "tests/unit/lanes",
    "tests/unit/model",
    "tests/unit/models",
    "tests/unit/recovery",
    "tests/unit/runs",
    "tests/unit/sinks",
    "tests/unit/stream",
    "tests/unit/test_handler.py",
    "tests/unit/verify",
    "tests/unit/writing",
)
"""Those that need no server; mutmut notes which of them call which function."""

UNITS: Final = "tests/unit"  # whose folders mirror those of sync/

_LOG: Final = "mutmut.log"
_CRASHED: Final = 255  # the process of pytest; mutmut calls that a timeout
_LONGEST_S: Final = 600.0  # of one simulation; a mutant that never ends is caught
_ALIVE: Final = ("survived", "no tests")
_UNDECIDED: Final = ("not checked", "check was interrupted by user", "skipped")
_RAN: Final = re.compile(r"\d+ (passed|failed|error)")
_PROGRESS: Final = re.compile(r"(\d+)/(\d+)  ")

Progress = Callable[[str, int, int], object]
"""Is told what is done at the moment, how much of it is done, and how much there is."""


class NotMeasured(Exception):
    """The mutants could not be run, for instance since the tests fail without any."""


def measure(
    files: Sequence[str],
    *,
    seeds: str,
    jobs: int,
    reasons: Mapping[Change, str],
    progress: Progress,
) -> list[Mutant]:
    """What became of each mutant of *files*. Raises NotMeasured.

    The tests of a file's own room come first: they take seconds, and kill most. Survivors that
    have one of *reasons* are spared the simulation.
    """
    _copy()
    mutants = {one.name: one for one in _run(files, near(files), jobs, progress)}
    if left := [name for name, one in mutants.items() if one.end == SURVIVED]:
        mutants |= {one.name: one for one in _run(files, TESTS, jobs, progress, left)}
    left = [
        name for name, one in mutants.items() if one.end == SURVIVED and one.change not in reasons
    ]
    for name in _simulated(left, seeds, jobs, progress):
        mutants[name] = replace(mutants[name], end=SIMULATED)
    return list(mutants.values())


def near(files: Iterable[str]) -> list[str]:
    """The tests of the rooms that *files* are in; all, where a room has none."""
    rooms = {f"{UNITS}/{file.split('/')[1]}/" for file in files}
    found = [[test for test in TESTS if f"{test}/".startswith(room)] for room in rooms]
    return sorted(chain.from_iterable(found if all(found) else [TESTS]))


def _copy() -> None:
    """Make a copy of the project."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    for name in names:
        target = FOLDER / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)


def _set(files: Sequence[str], tests: Sequence[str]) -> None:
    """Let mutmut mutate *files* and run *tests*; it forgets which tests call what."""
    # What mutmut copies anyway is left out.
    beside = {path.name for path in FOLDER.iterdir()} - {
        *("sync", "tests", "pyproject.toml", "mutants", _LOG)
    }
    settings = (ROOT / "pyproject.toml").read_text() + _settings(files, tests, sorted(beside))
    (FOLDER / "pyproject.toml").write_text(settings)
    (FOLDER / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)


def _settings(files: Sequence[str], tests: Sequence[str], beside: Sequence[str]) -> str:
    """mutmut's settings as TOML. JSON's strings and lists are TOML's as well."""
    given: dict[str, Any] = {
        "source_paths": ["sync"],
        "only_mutate": list(files),
        "also_copy": list(beside),
        "pytest_add_cli_args_test_selection": list(tests),
        "pytest_add_cli_args": [
            *("--hypothesis-seed=1", "--hypothesis-profile=mutants"),
            *("-p", "no:cacheprovider"),
        ],
        "process_isolation": "forkserver",  # with "fork", tests run twice in one process
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    return "\n[tool.mutmut]\n" + "\n".join(lines) + "\n"


def _run(
    files: Sequence[str],
    tests: Sequence[str],
    jobs: int,
    progress: Progress,
    names: Sequence[str] = (),
) -> list[Mutant]:
    """Run *tests* against the mutants of *files*, or those with one of *names*, if any is given."""
    _set(files, tests)
    what = "all unit tests" if names else "the room's tests"
    progress(f"finding the tests of each mutant: {what}", 0, 1)
    log = FOLDER / _LOG
    mutmut_run = str(Path(sys.executable).with_name("mutmut")), "run"
    with (
        log.open("w") as kept,
        subprocess.Popen(
            [*mutmut_run, "--max-children", str(jobs), *names],
            cwd=FOLDER,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as mutmut,
    ):
        assert mutmut.stdout is not None
        for line in mutmut.stdout:  # universal newlines: each of its carriage returns ends one
            kept.write(line)
            if found := _PROGRESS.search(line):
                progress(what, int(found[1]), int(found[2]))
    if mutmut.returncode:
        raise NotMeasured(f"mutmut ended with {mutmut.returncode}; see {log}")
    return list(_read(names, tests))


def _read(names: Sequence[str], tests: Sequence[str]) -> Iterator[Mutant]:
    """The mutants, or those with one of *names*, as mutmut left them after *tests*."""
    with chdir(FOLDER):
        for meta in sorted(Path("mutants").rglob("*.py.meta")):
            file = str(meta.relative_to("mutants"))[: -len(".meta")]
            for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
                if names and name not in names:
                    continue
                status = status_by_exit_code[code]
                if code == _CRASHED:
                    status = "survived" if passes(name, tests, FOLDER / "mutants") else "killed"
                if status in _UNDECIDED:
                    raise NotMeasured(f"{name}: {status}; see {FOLDER / 'mutmut.log'}")
                before, after = _lines(get_diff_for_mutant(name, path=file))
                yield Mutant(
                    name, file, _function(name), before, after,
                    SURVIVED if status in _ALIVE else KILLED,
                )  # fmt: skip


def passes(name: str, tests: Sequence[str], folder: Path) -> bool:
    """Whether *tests* of *folder* pass with the mutant *name*, in a process of their own.

    pytest crashes where a mutant leaves a connection open, which is an error at its very end; but
    also where it can't run any test. Raises NotMeasured for that.
    """
    with chdir(folder):
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
                env={**os.environ, "MUTANT_UNDER_TEST": name},
                capture_output=True,
                text=True,
                check=False,
                timeout=_LONGEST_S,
            )
        except subprocess.TimeoutExpired:  # a mutant that never ends is caught
            return False
    if ended.returncode not in (0, 1) or not _RAN.search(ended.stdout):
        raise NotMeasured(f"{name}: pytest could not run its tests")
    return ended.returncode == 0


def _function(name: str) -> str:
    function, of_class = orig_function_and_class_names_from_key(name)
    return f"{of_class}.{function}" if of_class else function


def _lines(diff: str) -> tuple[str, str]:
    """The lines that go and those that come, in *diff*."""
    changed = [line for line in diff.splitlines() if line[:3] not in ("---", "+++")]
    old, new = (
        "\n".join(line[1:].strip() for line in changed if line.startswith(sign)) for sign in "-+"
    )
    return old, new


def _simulated(
    survivors: Sequence[str], seeds: str, jobs: int, progress: Progress
) -> Iterator[str]:
    """The names of *survivors* that the simulation catches. Raises NotMeasured."""
    if not survivors or not seeds:
        return
    if not _right("", seeds):
        raise NotMeasured(f"the simulation of seeds {seeds} fails without any mutant")
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(lambda name: (name, _right(name, seeds)), survivors)
        for done, (name, right) in enumerate(found, 1):
            progress("simulation", done, len(survivors))
            if not right:
                yield name


def _right(mutant: str, seeds: str) -> bool:
    """Whether the simulation of *seeds* is right with *mutant* in the code."""
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seeds", seeds, "--jobs", "1"],
            cwd=FOLDER / "mutants",
            env={**os.environ, "MUTANT_UNDER_TEST": mutant},
            capture_output=True,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return ended.returncode == 0
