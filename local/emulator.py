"""The AWS emulator (ministack): its own process in its own environment, on 127.0.0.1."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from local import paths, wheels
from local.maven import Say
from local.processes import Child, free_port, http_ok

REGION = "us-east-1"
_REQUIREMENTS = paths.ROOT / "requirements" / "emulator.txt"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",  # the emulator's administrator
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    # Nothing of the user's own AWS account is read, and no metadata service is asked.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_DIRECT = "127.0.0.1,localhost"


def install(say: Say) -> Path:
    """The Python that has the emulator, installed into the cache on first use.

    It is of our own version, and must be: the emulator runs every function, whatever its runtime
    is said to be, under its own interpreter, and the zip for this machine holds compiled modules.
    Raises LocalError.
    """
    identity = f"{sys.version}{sys.base_prefix}".encode()
    key = hashlib.sha256(_REQUIREMENTS.read_bytes() + identity).hexdigest()[:12]
    directory = paths.cache() / f"emulator-{key}"
    with paths.install(directory) as new:
        if new:
            say("installing the AWS emulator")
            wheels.create_environment(new)
            wheels.install(_REQUIREMENTS, "--python", new / "bin" / "python")
    return directory / "bin" / "python"


class Emulator:
    """AWS on this machine; what it holds is gone when it stops.

    It enforces the roles of functions. *opensearch* is the URL that OpenSearch domains get, of a
    server that runs already; without it they get none that works. *port* 0 means a free one.
    """

    def __init__(
        self,
        *,
        opensearch: str | None = None,
        port: int = 0,
        log: Path = paths.STATE / "emulator.log",
        say: Say = print,
    ) -> None:
        self.port = port or free_port()
        self.log = log
        self._opensearch = opensearch
        self._say = say
        self._scratch: Path | None = None
        self._child: Child | None = None

    @property
    def endpoint(self) -> str:
        """What AWS_ENDPOINT_URL has to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The emulator's process, None while it is stopped."""
        return self._child.pid if self._child else None

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """*base* with its AWS_ variables replaced by those of a client of this emulator."""
        return {
            **{name: value for name, value in base.items() if not name.startswith("AWS_")},
            **_CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "NO_PROXY": _DIRECT,
            "no_proxy": _DIRECT,
        }

    def start(self, *, timeout_s: float = 60.0) -> Self:
        """Start, and return when it answers; if it runs already, do nothing. Raises LocalError."""
        if self._child is not None:
            return self
        python = install(self._say)
        self._scratch = self._scratch or paths.scratch("emulator")
        child = Child.start(
            [python, "-m", "ministack"],
            name="the AWS emulator",
            log=self.log,
            env=self._own_environment(self._scratch),
            cwd=self._scratch,
        )
        try:
            health = f"{self.endpoint}/_ministack/health"
            child.wait_until(lambda: http_ok(health), timeout_s=timeout_s)
        except BaseException:
            child.stop()
            raise
        self._child = child
        return self

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Stop it and the functions it runs; all that it holds is gone."""
        if self._child is not None:
            self._child.stop(grace_s)
            self._child = None
        if self._scratch is not None:
            paths.discard(self._scratch)
            self._scratch = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _own_environment(self, scratch: Path) -> dict[str, str]:
        """Nothing of the user's: what stands here, functions see too."""
        domain = {}
        if self._opensearch is not None:
            domain["MINISTACK_OPENSEARCH_ENDPOINT"] = self._opensearch.removeprefix("http://")
        return {
            **_CREDENTIALS,
            **domain,
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "HOME": str(scratch),
            "LANG": "C.UTF-8",
            "NO_PROXY": _DIRECT,
            "no_proxy": _DIRECT,
            "PATH": os.defpath,
            "TMPDIR": str(scratch),
        }
