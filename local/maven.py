"""Files from the Maven repository, checked against pinned digests.

`python -m local.maven GROUP:NAME:VERSION` prints the lines that pin a jar with all it needs.
"""

import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from local.errors import LocalError

Say = Callable[[str], None]
"""Takes a line about something that lasts."""

_MB = 1_000_000
_READ_TIMEOUT_S = 60
_TRIES = 3
_AT_ONCE = 8


class Artifact(NamedTuple):
    """A file as Maven names it; *sha512* in hex says that it is the one we know."""

    group: str
    name: str
    version: str
    packaging: str
    sha512: str

    def __str__(self) -> str:
        return f"{self.name}-{self.version}.{self.packaging}"


def download(artifact: Artifact, directory: Path, say: Say) -> Path:
    """Put *artifact* somewhere below *directory*, where nothing may lie yet; return its path.

    Raises LocalError if it can't be had or is not the pinned one.
    """
    from jgo.maven import MavenContext, PythonResolver  # only a first start needs it
    from requests import RequestException

    resolver = PythonResolver(progress_callback=_progress(say))
    for attempt in range(1, _TRIES + 1):
        # Each in a place of its own: the resolver takes the part of a broken download for a whole.
        context = MavenContext(
            repo_cache=directory / f"try-{attempt}", resolver=resolver, timeout=_READ_TIMEOUT_S
        )
        component = context.project(artifact.group, artifact.name).at_version(artifact.version)
        try:
            path = Path(component.artifact(packaging=artifact.packaging).resolve())
            if _sha512(path) != artifact.sha512:
                raise LocalError("it is not the file pinned by sha512")
        except (RequestException, RuntimeError, LocalError) as error:
            if attempt == _TRIES:
                raise LocalError(
                    f"{artifact} could not be downloaded (is the network there?): {error}"
                ) from error
            say(f"{artifact} could not be downloaded, trying again: {error}")
        else:
            return path
    raise AssertionError("the last try returns or raises")


def download_jars(pins: Path, directory: Path, say: Say) -> None:
    """Put the jars that *pins* lists, as `pin` writes them, into *directory*. Raises LocalError."""
    directory.mkdir()
    jars = [_pinned(line) for line in pins.read_text().splitlines()]
    say(f"downloading {len(jars)} jars of {jars[0]}")

    def fetch(jar: Artifact) -> None:
        with tempfile.TemporaryDirectory(dir=directory, prefix=".") as own:
            download(jar, Path(own), lambda _: None).rename(directory / str(jar))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for future in [pool.submit(fetch, jar) for jar in jars]:
            future.result()


def pin(group: str, name: str, version: str) -> Iterator[str]:
    """`group:name:version sha512` of a jar and of each that it needs to run."""
    from jgo.maven import Dependency, MavenContext, PythonResolver

    with tempfile.TemporaryDirectory() as cache:
        resolver = PythonResolver()
        context = MavenContext(repo_cache=Path(cache), resolver=resolver, timeout=_READ_TIMEOUT_S)
        jar = context.project(group, name).at_version(version).artifact()
        for dependencies in resolver.resolve([Dependency(jar)]):
            for each in (dependency.artifact for dependency in dependencies):
                if each.packaging == "jar":
                    coordinates = f"{each.groupId}:{each.artifactId}:{each.version}"
                    yield f"{coordinates} {_sha512(Path(each.resolve()))}"


def _pinned(line: str) -> Artifact:
    coordinates, sha512 = line.split()
    group, name, version = coordinates.split(":")
    return Artifact(group, name, version, "jar", sha512)


def _sha512(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def _progress(say: Say) -> Callable[[str, int], AbstractContextManager[Callable[[int], None]]]:
    @contextmanager
    def report(name: str, total: int) -> Iterator[Callable[[int], None]]:
        done, next_line = 0, 0

        def advance(size: int) -> None:
            nonlocal done, next_line
            done += size
            if done >= next_line:
                say(f"downloading {name}: {done / _MB:.0f} of {total / _MB:.0f} MB")
                next_line += total // 10 + 1

        yield advance

    return report


if __name__ == "__main__":
    print(*pin(*sys.argv[1].split(":")), sep="\n")
