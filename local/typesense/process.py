"""The stand-in as a process of its own, beside what else runs on this machine."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import typesense

from local import paths
from local.processes import Child, http_answers, http_ok
from local.server import Server


class TypesenseProcess(Server):
    """A server that can be stopped and started again with its documents.

    While it is stopped its process lives on, and nothing listens: who is connected is hung up on,
    and who comes is refused, as by a server that is down. *port* 0 means a free one. *api_key* may
    do everything. *log* takes everything it prints.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        api_key: str = "local",
        log: Path = paths.STATE / "typesense.log",
    ) -> None:
        super().__init__("typesense", port, log)
        self.api_key = api_key

    @contextmanager
    def client(self) -> Iterator[typesense.Client]:
        """The official client, with the key that may do everything; it tries nothing again."""
        client = typesense.Client(
            {
                "nodes": [{"protocol": "http", "host": "127.0.0.1", "port": self.port}],
                "api_key": self.api_key,
                "num_retries": 0,
            }
        )
        try:
            yield client
        finally:
            client.api_call.close()

    def create_key(self, description: str, actions: Sequence[str]) -> str:
        """A new API key that may do *actions* with any collection."""
        wanted: Any = {"description": description, "actions": actions, "collections": ["*"]}
        with self.client() as client:
            return client.keys.create(wanted)["value"]

    def start(self, *, timeout_s: float = 30.0) -> Self:
        """Start, and return when it answers; if it runs already, do nothing. Raises LocalError."""
        if self._child is None:
            return super().start(timeout_s=timeout_s)
        os.kill(self._child.pid, signal.SIGUSR2)
        self._child.wait_until(self._ready, timeout_s=timeout_s)
        return self

    def stop(self, *, grace_s: float = 30.0) -> None:
        """Stop, and keep the documents for the next start.

        Raises LocalError where something still listens after *grace_s*.
        """
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGUSR1)
            self._child.wait_until(
                lambda: not http_answers(f"{self.url}/health"), timeout_s=grace_s
            )

    def close(self) -> None:
        """End the process; what it held is gone."""
        super().stop()
        super().close()

    def _launch(self) -> Child:
        return Child.start(
            [
                *(sys.executable, "-m", "local.typesense"),
                *("--port", str(self.port), "--api-key", self.api_key),
            ],
            name="the Typesense stand-in",
            log=self.log,
            cwd=paths.ROOT,
        )

    def _ready(self) -> bool:
        return http_ok(f"{self.url}/health")
