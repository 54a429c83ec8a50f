"""Files from the Maven repository, checked against pinned digests."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from local.downloads import Say
from local.errors import LocalError

READ_TIMEOUT_S = 60
_MB = 1_000_000
_TRIES = 3


class Artifact(NamedTuple):
    """A file by its Maven coordinates, and the SHA-512 digest (in hex) that it must have."""

    group: str
    name: str
    version: str
    packaging: str
    sha512: str

    def __str__(self) -> str:
        return f"{self.name}-{self.version}.{self.packaging}"


def download(artifact: Artifact, directory: Path, say: Say) -> Path:
    """Download *artifact* to somewhere below the new *directory*; return its path.

    Raises LocalError if it can't be downloaded or has another digest.
    """
    from jgo.maven import (  # imported here because only a first start needs it
        MavenContext,
        PythonResolver,
    )
    from requests import RequestException

    resolver = PythonResolver(progress_callback=_progress(say))
    for attempt in range(1, _TRIES + 1):
        # A directory for each try: the resolver would take a broken download for a whole file.
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
