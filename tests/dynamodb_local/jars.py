"""The jars of DynamoDB Local, each pinned by its digest.

`python -m tests.dynamodb_local.jars GROUP:NAME:VERSION` prints the lines of jars.txt: one for that
jar and one for each jar that it needs.
"""

import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local.downloads import Say
from local.downloads.maven import READ_TIMEOUT_S, Artifact, download, sha512_of

_AT_ONCE = 8


def download_jars(pins: Path, directory: Path, say: Say) -> None:
    """Download the jars that the file *pins* lists into a new *directory*. Raises LocalError."""
    directory.mkdir()
    jars = [_pinned(line) for line in pins.read_text().splitlines()]
    say(f"downloading {len(jars)} jars of {jars[0]}")

    def fetch(jar: Artifact) -> None:
        with tempfile.TemporaryDirectory(dir=directory, prefix=".") as own:
            download(jar, Path(own), lambda _: None).rename(directory / str(jar))

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for future in [pool.submit(fetch, jar) for jar in jars]:
            future.result()


def _pinned(line: str) -> Artifact:
    coordinates, sha512 = line.split()
    group, name, version = coordinates.split(":")
    return Artifact(group, name, version, "jar", sha512)


def pin(group: str, name: str, version: str) -> Iterator[str]:
    """A line `group:name:version sha512` for a jar and for each jar that it needs to run."""
    from jgo.maven import Dependency, MavenContext, PythonResolver

    with tempfile.TemporaryDirectory() as cache:
        resolver = PythonResolver()
        context = MavenContext(repo_cache=Path(cache), resolver=resolver, timeout=READ_TIMEOUT_S)
        jar = context.project(group, name).at_version(version).artifact()
        for dependencies in resolver.resolve([Dependency(jar)]):
            for each in (dependency.artifact for dependency in dependencies):
                if each.packaging == "jar":
                    coordinates = f"{each.groupId}:{each.artifactId}:{each.version}"
                    yield f"{coordinates} {sha512_of(Path(each.resolve()))}"


if __name__ == "__main__":
    print(*pin(*sys.argv[1].split(":")), sep="\n")
