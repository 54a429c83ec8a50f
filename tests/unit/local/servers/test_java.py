"""Which Java runtime is found."""

from pathlib import Path

import pytest

from local.errors import LocalError
from local.servers import java
from local.servers.java import Java


@pytest.fixture(autouse=True)
def own_homes(own_places: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No runtime of this machine is found, but those that a test makes."""
    monkeypatch.setattr(java, "_HOMES", (str(tmp_path / "jvm" / "*"),))


def make_java(home: Path, version: str, modules: str = "java.base jdk.localedata") -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").touch(mode=0o755)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return home


def test_an_old_java_and_one_without_thai_are_passed_over(tmp_path: Path) -> None:
    """JAVA_HOME may be for something else; the first that OpenSearch starts on is taken."""
    old = make_java(tmp_path / "old", "17.0.15")
    make_java(tmp_path / "jvm" / "small", "25", modules="java.base")
    fits = make_java(tmp_path / "jvm" / "fits", "21.0.2")
    assert java.find({"JAVA_HOME": str(old)}) == Java(fits, 21)


def test_no_fitting_java_is_none(tmp_path: Path) -> None:
    """Too new is no better than too old."""
    assert java.find({"JAVA_HOME": str(make_java(tmp_path / "new", "26"))}) is None


def test_java_is_found_through_links_on_the_path(tmp_path: Path) -> None:
    """A `java` on the PATH is a link to where the runtime is."""
    home = make_java(tmp_path / "elsewhere", "25.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    assert java.find({"PATH": str(tmp_path / "bin")}) == Java(home, 25)


def test_a_demanded_java_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    """OPENSEARCH_JAVA_HOME is for us alone, so a wrong one is a mistake to be told of."""
    old = make_java(tmp_path / "old", "17")
    make_java(tmp_path / "jvm" / "fits", "21")
    with pytest.raises(LocalError, match=f"OPENSEARCH_JAVA_HOME={old} is no Java 21 to 25"):
        java.find({"OPENSEARCH_JAVA_HOME": str(old)})
