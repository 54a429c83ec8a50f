"""The AWS emulator (ministack): its own process in its own environment, on 127.0.0.1."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from local import paths, wheels
from local.maven import Say
from local.processes import Child, http_ok
from local.server import Server

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


class Emulator(Server):
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
        super().__init__("emulator", port, log)
        self._opensearch = opensearch
        self._say = say

    @property
    def endpoint(self) -> str:
        """What AWS_ENDPOINT_URL has to be."""
        return self.url

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """*base* with its AWS_ variables replaced by those of a client of this emulator."""
        return {
            **{name: value for name, value in base.items() if not name.startswith("AWS_")},
            **_CREDENTIALS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "NO_PROXY": _DIRECT,
            "no_proxy": _DIRECT,
        }

    def _launch(self) -> Child:
        python = install(self._say)
        scratch = self._directory()
        return Child.start(
            [python, "-m", "ministack"],
            name="the AWS emulator",
            log=self.log,
            env=self._own_environment(scratch),
            cwd=scratch,
        )

    def _ready(self) -> bool:
        return http_ok(f"{self.url}/_ministack/health")

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
