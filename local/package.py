"""Two zips from one script: for the emulator on this machine, and for Lambda on Linux arm64.

    python -m local.package [host|arm64|all]

Same sources, same requirements.txt and same interpreters give the same bytes, wherever it runs.
Each module is shipped with its bytecode, which Lambda takes as it is ("unchecked-hash", PEP 552):
its file system is read-only, so without it every cold start would compile every module again.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from local.downloads import wheels
from local.errors import LocalError
from local.paths import ROOT

OWN = ("handler.py", "sync", "mappings")
FOR_PEOPLE = ("sync/__main__.py", "sync/cli")  # the command line; what it imports is not shipped

# opensearch-py requires these for its gRPC transport, which nothing here imports: 19 MB.
UNUSED_REQUIREMENTS = ("grpcio", "opensearch-protobufs", "protobuf")

# The services that boto3 clients are made for; botocore's data on the other 400 stays behind.
SERVICES = (
    "cloudwatch",
    "dynamodb",
    "lambda",
    "logs",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "sts",
)
_SHARED_DATA = (
    "_retry.json",
    "endpoints.json",
    "partitions.json",
    "sdk-default-configuration.json",
)
_UNUSED_PACKAGES = ("bin", "boto3/examples", "opensearchpy/_async/client", "pydantic/v1")
_UNUSED_SUFFIXES = (".c", ".h", ".md", ".pxd", ".pyi", ".pyx", ".rst", ".typed")

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
_TAIL_LINES = 10


class Target(NamedTuple):
    """Whom a zip is for; *python* is the version that runs it, None: the one that runs us."""

    name: str
    python: str | None
    install: tuple[str, ...]  # what uv is told about a machine that is not this one


TARGETS = {
    "host": Target("host", None, ()),
    "arm64": Target("arm64", "3.12", ("--python-platform", "aarch64-manylinux2014")),
}


class Package(NamedTuple):
    """A zip, as built. Sizes in bytes; *bytecode* says for which Python, None: sources only."""

    path: Path
    sha256: str
    zipped: int
    unzipped: int
    bytecode: str | None
    reused: bool  # the dependencies come from the last build

    def __str__(self) -> str:
        return (
            f"{self.path.name}  {self.zipped / 1e6:.1f} MB ({self.unzipped / 1e6:.1f} MB unzipped)"
            f"  bytecode {self.bytecode or 'none'}  sha256 {self.sha256[:12]}"
        )


def build(
    name: str,
    *,
    root: Path = ROOT,
    out: Path | None = None,
    say: Callable[[str], None] = print,
) -> Package:
    """Write `lambda-<name>.zip`, for one of TARGETS, to *out*; *say* takes warnings.

    *root* holds the sources; *out* is its `dist` unless said otherwise.

    The dependencies are kept beside it and used again until requirements.txt, an interpreter or
    this file changes. Without a Python of the target's version the zip has sources only.
    Raises LocalError when the dependencies can't be had.
    """
    target = TARGETS[name]
    out = out or root / "dist"
    out.mkdir(parents=True, exist_ok=True)
    python = sys.executable if target.python is None else _find_python(target.python)
    if python is None:
        say(
            f"no Python {target.python} found: lambda-{target.name}.zip goes without bytecode, "
            "which works and makes cold starts two to three times as slow"
        )
    wanted = used_requirements((root / "requirements.txt").read_text())
    key = _key(target, wanted, python)
    dependencies = out / f"dependencies-{target.name}.zip"
    path = out / f"lambda-{target.name}.zip"
    with tempfile.TemporaryDirectory(prefix=".package-", dir=out) as scratch:
        reused = _comment(dependencies) == key
        if not reused:
            tree = Path(scratch, "dependencies")
            _install(target, wanted, tree)
            _prune(tree)
            _compile(python, tree)
            _write(tree, new := Path(scratch, "new.zip"), comment=key)
            new.replace(dependencies)
        own = Path(scratch, "own")
        _copy_own(root, own)
        _compile(python, own)
        new = shutil.copyfile(dependencies, Path(scratch, "whole.zip"))
        _write(own, new, mode="a")
        new.replace(path)
    with zipfile.ZipFile(path) as archive:
        unzipped = sum(entry.file_size for entry in archive.infolist())
    data = path.read_bytes()
    version = _version(python) if python else None
    digest = hashlib.sha256(data).hexdigest()
    return Package(path, digest, len(data), unzipped, version, reused)


def used_requirements(text: str) -> str:
    """A requirements.txt as uv compiles it, less what is never imported.

    Raises LocalError when it does not name what is to be left out: then that list is out of date.
    """
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)
    names = [block.partition("==")[0] for block in blocks]
    if stale := sorted(set(UNUSED_REQUIREMENTS) - set(names)):
        raise LocalError(
            f"requirements.txt no longer has {', '.join(stale)}: see UNUSED_REQUIREMENTS"
        )
    return "".join(
        block for block, name in zip(blocks, names, strict=True) if name not in UNUSED_REQUIREMENTS
    )


def is_used(path: PurePosixPath) -> bool:
    """Whether an installed file, *path* from where sys.path points to, is worth shipping."""
    parts = path.parts
    if path.suffix in _UNUSED_SUFFIXES or "tests" in parts or parts[0].endswith(".dist-info"):
        return False
    if any(path.is_relative_to(package) for package in _UNUSED_PACKAGES):
        return False
    if parts[:2] in {("boto3", "data"), ("botocore", "data")}:
        return parts[2] in _SHARED_DATA or (
            parts[2] in SERVICES and not path.name.startswith("examples-")
        )
    return True


def _find_python(version: str) -> str | None:
    # uv gives up on the first shim of pyenv that fails; a shim runs a version when it is named.
    env = {**os.environ, "PYENV_VERSION": version, "UV_PYTHON_DOWNLOADS": "never"}
    found = subprocess.run(
        [wheels.uv(), "python", "find", "--no-project", "--system", version],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() if found.returncode == 0 else None


def _version(python: str) -> str:
    if python == sys.executable:
        return sys.version.split()[0]
    return _run(python, "-c", "import sys; print(sys.version.split()[0])").strip()


def _key(target: Target, requirements: str, python: str | None) -> bytes:
    interpreter = _version(python) if python else ""
    told = (*target, requirements, interpreter, Path(__file__).read_text())
    return hashlib.sha256(repr(told).encode()).hexdigest().encode()


def _comment(path: Path) -> bytes | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment
    except (FileNotFoundError, zipfile.BadZipFile):
        return None


def _install(target: Target, requirements: str, tree: Path) -> None:
    pinned = tree.with_name("requirements.txt")
    pinned.write_text(requirements)
    wheels.install(
        pinned,
        *("--target", tree, "--no-deps", "--only-binary", ":all:"),
        *(("--python-version", target.python) if target.python else ("--python", sys.executable)),
        *target.install,
    )


def _prune(tree: Path) -> None:
    for path in _files(tree):
        if not is_used(PurePosixPath(path.relative_to(tree).as_posix())):
            path.unlink()


def _copy_own(root: Path, tree: Path) -> None:
    for name in OWN:
        source = root / name
        if not source.exists():
            raise LocalError(f"nothing to package: {source} does not exist")
        for path in _files(source) if source.is_dir() else [source]:
            own = path.relative_to(root)
            if path.suffix in {".py", ".json"} and not any(map(own.is_relative_to, FOR_PEOPLE)):
                copy = tree / own
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)


def _compile(python: str | None, tree: Path) -> None:
    # One process, so that what CPython interns, and with it the bytes, comes in one order. The
    # prefix goes, since no machine's path belongs in a zip; on import Python puts in the real one.
    if python:
        mode = ("--invalidation-mode", "unchecked-hash")
        _run(python, "-m", "compileall", "-q", *mode, "-s", str(tree), str(tree))


def _write(
    tree: Path, zip_path: Path, *, mode: Literal["w", "a"] = "w", comment: bytes = b""
) -> None:
    """Write or append what lies below *tree*; of a zip that exists, the comment goes."""
    with zipfile.ZipFile(zip_path, mode) as archive:
        archive.comment = comment
        for path in _files(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _EPOCH)
            entry.create_system = 3  # Unix, also where it was made on something else
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def _files(tree: Path) -> Iterator[Path]:
    """Every file below *tree*, in an order that depends on names alone."""
    return iter(sorted(path for path in tree.rglob("*") if path.is_file()))


def _run(*argv: str) -> str:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        lines = (ended.stdout + ended.stderr).strip().splitlines()[-_TAIL_LINES:]
        command = " ".join(map(str, (Path(argv[0]).name, *argv[1:3])))
        raise LocalError("\n".join([f"packaging: {command} failed", *lines]))
    return ended.stdout


def main(argv: Sequence[str] | None = None) -> int:
    """Build what is asked for, and say what was built."""
    parser = argparse.ArgumentParser(prog="python -m local.package", description="Build the zips.")
    parser.add_argument("target", nargs="?", default="all", choices=[*TARGETS, "all"])
    chosen = parser.parse_args(argv).target
    for name in TARGETS if chosen == "all" else [chosen]:
        start = time.monotonic()
        package = build(name)
        print(f"{package}  {time.monotonic() - start:.1f} s")
    return 0


if __name__ == "__main__":
    from sync.cli.front import run

    sys.exit(run("local.package"))
