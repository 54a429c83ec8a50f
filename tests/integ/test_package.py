"""The zips that local/package.py builds, from the real wheels."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from local import package
from local.errors import LocalError
from local.package import Package
from local.paths import ROOT
from tests.lengths import alone

MB = 1024 * 1024
AARCH64 = 183  # e_machine of an ELF file, at byte 18

# Imports everything there is of ours, as Lambda would: nothing else on sys.path, warnings fatal.
USE_ALL = """
import importlib, json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import handler, sync
for module in pkgutil.walk_packages(sync.__path__, "sync."):
    importlib.import_module(module.name)
import boto3, opensearchpy, orjson, pydantic, requests_aws4auth
for service in json.loads(sys.argv[2]):
    boto3.client(service, region_name="eu-west-1")
opensearchpy.OpenSearch("https://localhost", connection_class=opensearchpy.RequestsHttpConnection)
files = [str(getattr(module, "__file__", "")) for module in sys.modules.values()]
assert not [file for file in files if "site-packages" in file]
print(handler.__file__)
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, under a path of another length."""
    root = tmp_path_factory.mktemp("a-clone-somewhere-else")
    for name in (*package.OWN, "requirements.txt"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, root / name)
    return root


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package.build("host", out=tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package.build("arm64", out=tmp_path_factory.mktemp("arm64"))


ARM64 = pytest.param("arm64", marks=[pytest.mark.soak, alone("it is the same code")])


@pytest.fixture(params=["host", ARM64])
def built(request: pytest.FixtureRequest) -> Package:
    found: Package = request.getfixturevalue(request.param)
    return found


def unzip(zip_path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(zip_path) as archive:
        archive.extractall(folder)
    return folder


def use_all(folder: Path) -> str:
    """Run USE_ALL without site-packages and with no module taken from anywhere else."""
    ran = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-W",
            "error",
            "-c",
            USE_ALL,
            folder,
            json.dumps(package.SERVICES),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout.strip()


@pytest.mark.parametrize(
    "name",
    ["host", ARM64],
)
def test_the_same_sources_give_the_same_bytes(
    name: str, elsewhere: Path, request: pytest.FixtureRequest
) -> None:
    """A zip can be checked against its sources by anyone who builds it again."""
    built: Package = request.getfixturevalue(name)
    again = package.build(name, root=elsewhere)
    assert (built.reused, again.reused) == (False, False)
    assert built.sha256 == again.sha256


def test_the_host_zip_has_all_that_is_imported(host: Package, tmp_path: Path) -> None:
    """Leaving things out left nothing out that is used."""
    assert use_all(unzip(host.path, tmp_path)) == str(tmp_path / "handler.py")


def test_python_takes_the_bytecode_without_a_look_at_the_source(
    host: Package, tmp_path: Path
) -> None:
    """No cold start compiles anything."""
    folder = unzip(host.path, tmp_path)
    sources = [*folder.rglob("*.py")]
    for source in sources:
        source.write_text("raise ImportError('compiled from source')")
    assert use_all(folder) == str(folder / "handler.py")
    with zipfile.ZipFile(host.path) as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".pyc")]
    assert len(compiled) == len(sources)


def test_nothing_unused_is_shipped(built: Package) -> None:
    """What no function imports does not slow its start."""
    with zipfile.ZipFile(built.path) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    top = {name.split("/")[0] for name in names}
    assert not top & {"grpc", "google", "opensearch", "bin", "tests", "local", "benchmarks"}
    assert not [name for name in names if name.endswith(".pyi") or ".dist-info/" in name]
    assert not [name for name in names if "/tests/" in name]
    assert not [name for name in names if name.startswith(package.FOR_PEOPLE)]
    assert "rich" not in top
    data = {name.split("/")[2] for name in names if name.startswith("botocore/data/")}
    shared = {name for name in data if name.endswith(".json")}
    assert data - shared == set(package.SERVICES)
    assert {"handler.py", "sync/stream/dispatch.py", "mappings/opensearch/products.json"} <= set(
        names
    )


def test_no_path_of_this_machine_is_shipped(built: Package, tmp_path: Path) -> None:
    """A zip says nothing of who built it where."""
    folder = unzip(built.path, tmp_path)
    places = [str(place).encode() for place in (ROOT, built.path.parent, Path(sys.prefix))]
    telling = [
        (path.relative_to(folder), place)
        for path in folder.rglob("*")
        if path.is_file()
        for place in places
        if place in path.read_bytes()
    ]
    assert telling == []


def test_the_sizes_are_far_below_the_limits_of_lambda(built: Package) -> None:
    """50 MB zipped, sent directly, and 250 MB unzipped (Lambda guide, quotas)."""
    assert built.zipped == built.path.stat().st_size
    assert built.zipped < 12 * MB
    assert built.unzipped < 30 * MB


@pytest.mark.soak
@alone("it is the same code")
def test_the_arm64_zip_is_for_linux_arm64(arm64: Package) -> None:
    """No compiled module of this machine gets to Lambda."""
    with zipfile.ZipFile(arm64.path) as archive:
        libraries = {n: archive.read(n)[:20] for n in archive.namelist() if n.endswith(".so")}
    assert {name.split("/")[0] for name in libraries} >= {"orjson", "pydantic_core"}
    assert {int.from_bytes(head[18:20], "little") for head in libraries.values()} == {AARCH64}
    assert {head[:4] for head in libraries.values()} == {b"\x7fELF"}


def test_a_change_of_ours_leaves_the_dependencies_as_they_are(elsewhere: Path) -> None:
    """The second build takes no time, and has what changed."""
    first = package.build("host", root=elsewhere)
    changed = elsewhere / "sync" / "added.py"
    changed.write_text("ANSWER = 42\n")
    try:
        second = package.build("host", root=elsewhere)
    finally:
        changed.unlink()
    assert (second.reused, second.sha256 == first.sha256) == (True, False)
    with zipfile.ZipFile(second.path) as archive:
        assert archive.read("sync/added.py") == b"ANSWER = 42\n"
    assert package.build("host", root=elsewhere).sha256 == first.sha256


def test_a_requirement_that_does_not_match_its_hash_is_refused(elsewhere: Path) -> None:
    """What is shipped is what is pinned, whatever was built before, and no tampered wheel."""
    before = package.build("host", root=elsewhere)
    pinned = elsewhere / "requirements.txt"
    text = pinned.read_text()
    start = text.index("\nsix==")
    end = text.index("# via", start)
    pinned.write_text(text[:start] + re.sub("[0-9a-f]{64}", "0" * 64, text[start:end]))
    try:
        with pytest.raises(LocalError, match="six"):
            package.build("host", root=elsewhere)
    finally:
        pinned.write_text(text)
    assert sha256(before.path.read_bytes()).hexdigest() == before.sha256


def test_without_the_right_python_the_sources_go_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong bytecode would be worse than none; and it is said."""

    def install_one(_target: object, _requirements: str, tree: Path) -> None:
        tree.mkdir()
        (tree / "six.py").write_text("")

    monkeypatch.setattr(package, "_find_python", lambda _version: None)
    monkeypatch.setattr(package, "_install", install_one)
    said: list[str] = []
    made = package.build("arm64", out=tmp_path, say=said.append)
    assert made.bytecode is None
    assert "no Python 3.12 found" in "".join(said)
    with zipfile.ZipFile(made.path) as archive:
        names = archive.namelist()
    assert {"six.py", "handler.py"} <= set(names)
    assert not [name for name in names if name.endswith(".pyc")]


def test_what_is_left_out_must_be_there_to_be_left_out() -> None:
    """A requirement that was dropped or renamed is noticed."""
    with pytest.raises(LocalError, match="opensearch-protobufs, protobuf"):
        package.used_requirements("boto3==1.0 \\\n    --hash=sha256:00\ngrpcio==1.0\n")
