"""Files from the Maven repository, checked against pinned digests."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from local.errors import LocalError

Say = Callable[[str], None]
"""Takes a line about something that lasts."""

READ_TIMEOUT_S = 60
_MB = 1_000_000
_TRIES = 3


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
            repo_cache=directory / f"try-{attempt}", resolver=resolver, timeout=READ_TIMEOUT_S
        )
        component = context.project(artifact.group, artifact.name).at_version(artifact.version)
        try:
            path = Path(component.artifact(packaging=artifact.packaging).resolve())
            if sha512_of(path) != artifact.sha512:
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


def sha512_of(path: Path) -> str:
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
