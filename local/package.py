"""Builds two zips: one for the emulator on this machine, one for Lambda on Linux arm64.

    python -m local.package [host|arm64|all]

The same sources, requirements.txt and interpreters give the same bytes on every machine. Each
module is shipped with its bytecode, which Python uses without a check ("unchecked-hash", PEP 552).
Lambda's file system is read-only, so without bytecode every cold start would compile every module.
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
FOR_PEOPLE = ("sync/__main__.py", "sync/cli", "sync/stages")  # what these import is not shipped

# opensearch-py requires these for its gRPC transport, which nothing here imports. They take 19 MB.
UNUSED_REQUIREMENTS = ("grpcio", "opensearch-protobufs", "protobuf")

# The services that the code makes clients of; botocore's data on the other 400 is left out.
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

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_TAIL_LINES = 10


class Target(NamedTuple):
    """What a zip is for. *python* is the version that runs it; None is the one that runs us."""

    name: str
    python: str | None
    install: tuple[str, ...]  # uv's options for a machine that is not this one


TARGETS = {
    "host": Target("host", None, ()),
    "arm64": Target("arm64", "3.12", ("--python-platform", "aarch64-manylinux2014")),
}


class Package(NamedTuple):
    """A zip. Sizes are in bytes; *bytecode* is the version of its bytecode, None if it has none."""

    path: Path
    sha256: str
    zipped: int
    unzipped: int
    bytecode: str | None
    reused: bool  # whether the dependencies come from the last build

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

    *root* holds the sources; without *out*, the zip is written to its folder `dist`. The
    dependencies are kept there too, and used again until requirements.txt, an interpreter or this
    file changes. If this machine has no Python of the target's version, the zip has no bytecode.
    Raises LocalError if the dependencies can't be installed.
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
    """*text*, a requirements.txt that uv compiled, without UNUSED_REQUIREMENTS.

    Raises LocalError if one of them is not in *text*, because then that list is out of date.
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
    """Whether the zip needs the installed file at *path*, relative to its folder of sys.path."""
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
    # uv gives up at the first shim of pyenv that fails; with PYENV_VERSION the shim works.
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
    depends_on = (*target, requirements, interpreter, Path(__file__).read_text())
    return hashlib.sha256(repr(depends_on).encode()).hexdigest().encode()


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
    # One process compiles everything: what CPython interns, and so the bytes, depends on the order.
    # -s removes this machine's path from the bytecode; Python sets the real one on import.
    if python:
        mode = ("--invalidation-mode", "unchecked-hash")
        _run(python, "-m", "compileall", "-q", *mode, "-s", str(tree), str(tree))


def _write(
    tree: Path, zip_path: Path, *, mode: Literal["w", "a"] = "w", comment: bytes = b""
) -> None:
    """Write the files below *tree* to a new zip, or append them to one, and set its comment."""
    with zipfile.ZipFile(zip_path, mode) as archive:
        archive.comment = comment
        for path in _files(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _EPOCH)
            entry.create_system = 3  # Unix, whatever this machine is
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())


def _files(tree: Path) -> Iterator[Path]:
    """Every file below *tree*, in an order that depends only on names."""
    return iter(sorted(path for path in tree.rglob("*") if path.is_file()))


def _run(*argv: str) -> str:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        lines = (ended.stdout + ended.stderr).strip().splitlines()[-_TAIL_LINES:]
        command = " ".join(map(str, (Path(argv[0]).name, *argv[1:3])))
        raise LocalError("\n".join([f"packaging: {command} failed", *lines]))
    return ended.stdout


def main(argv: Sequence[str] | None = None) -> int:
    """Build the zips that *argv* asks for, and print their sizes."""
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
