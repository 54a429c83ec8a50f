"""The AWS emulator (ministack), with a virtual environment of its own, on 127.0.0.1."""

import os
from collections.abc import Mapping
from pathlib import Path

from local import paths
from local.downloads import Say, wheels
from local.servers.loopback import http_ok
from local.servers.processes import Child
from local.servers.server import Server

REGION = "us-east-1"
_REQUIREMENTS = paths.ROOT / "requirements" / "emulator.txt"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",  # the emulator's administrator
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    # No configuration of the user's own AWS account is read, and no metadata service is asked.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_DIRECT = "127.0.0.1,localhost"


def install(say: Say) -> Path:
    """The Python program that has the emulator, installed into the cache on first use.

    It is of the version that runs us. The emulator runs every function under its own interpreter,
    whatever the function's runtime, and the zip for this machine holds modules compiled for our
    version. Raises LocalError.
    """
    programs = wheels.environment(
        "emulator", _REQUIREMENTS, lambda: say("installing the AWS emulator")
    )
    return programs / "python"


class Emulator(Server):
    """AWS on this machine, in memory: everything in it is lost when it stops.

    It enforces the roles of functions. *opensearch* is the URL of a running server, which every
    OpenSearch domain gets as its endpoint; without it, domains get an endpoint that does not work.
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
        """The value for AWS_ENDPOINT_URL."""
        return self.url

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """*base*, with its AWS_ variables replaced by those that lead to this emulator."""
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
        """The emulator's environment, without the user's: functions can read all of it."""
        domain = {}
        if self._opensearch is not None:
            domain["MINISTACK_OPENSEARCH_ENDPOINT"] = self._opensearch.removeprefix("http://")
        return {
            **self._environment(scratch),
            **_CREDENTIALS,
            **domain,
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "NO_PROXY": _DIRECT,
            "no_proxy": _DIRECT,
            "TMPDIR": str(scratch),
        }
