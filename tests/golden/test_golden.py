"""The service still does what the golden files record."""

import re
from typing import Final

import pytest

from tests.golden import AGAIN, FOLDER, as_text, differences, golden, path
from tests.golden.files import GROWS, SUBJECTS, build
from tests.golden.plain import Json

# The rest of tests/ imports the service, but for these.
REACHES_IN: Final = re.compile(
    r"^ *(from|import) (sync|handler|tests(?!\.(golden|records|settings)\b))\b"
)


@pytest.mark.parametrize("name", SUBJECTS)
def test_what_must_not_change_is_as_it_was(name: str) -> None:
    """Other releases, queued messages, stored rows and people rely on it."""
    found = list(differences(golden(name), build(name), grows=name in GROWS))
    assert not found, (
        f"{len(found)} differences from {path(name)}. If they are intended, run `{AGAIN}` and "
        "review what it changes.\n" + "\n".join(found[:20])
    )


def test_the_files_are_those_that_are_made() -> None:
    """No file is edited by hand, and none is left over."""
    assert {file.stem for file in FOLDER.glob("*.json")} == set(SUBJECTS)
    for name in SUBJECTS:
        assert path(name).read_text() == as_text(golden(name)), f"{name}: run {AGAIN}"


def test_one_file_reaches_into_the_service() -> None:
    """A rearranged service is adapted to in one place."""
    reaching = {
        file.name
        for file in FOLDER.glob("*.py")
        if any(map(REACHES_IN.match, file.read_text().splitlines()))
    }
    assert reaching == {"subjects.py"}


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ({"a": 1}, {"a": 2}, ["/a was 1, and is 2"]),
        ({"a": 1}, {"a": 1.0}, ["/a was 1, and is 1.0"]),
        ({"a": 1}, {"a": True}, ["/a was 1, and is true"]),
        ({"a": {"b": 1}}, {"a": {}}, ["/a/b is gone, it was 1"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["/a/0 was 1, and is 2", "/a/1 was 2, and is 1"]),
        ({"a": [1]}, {"a": [1, 2]}, ["/a was [1], and is [1, 2]"]),
        ({"a": {}}, {"a": []}, ["/a was {}, and is []"]),
    ],
)
@pytest.mark.parametrize("grows", [False, True])
def test_each_difference_is_told(was: Json, now: Json, told: list[str], grows: bool) -> None:
    """With its place in the file."""
    assert list(differences(was, now, grows=grows)) == told


def test_a_new_name_is_told_where_none_may_come() -> None:
    """One more log field breaks nobody; one more attribute of a row may."""
    was, now = {"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}
    assert list(differences(was, now, grows=False)) == ["/a/c is new: 2"]
    assert list(differences(was, now, grows=True)) == []
