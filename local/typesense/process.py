"""The stand-in as a process of its own, beside what else runs on this machine."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import typesense

from local import paths
from local.processes import Child, free_port, http_answers, http_ok


class TypesenseProcess:
    """A server that can be stopped and started again on the same port with its documents.

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
        self.port = port or free_port()
        self.api_key = api_key
        self.log = log
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The base URL, the same for as long as this object lives."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process, None before the first start."""
        return self._child.pid if self._child else None

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
            self._child = Child.start(
                [
                    *(sys.executable, "-m", "local.typesense"),
                    *("--port", str(self.port), "--api-key", self.api_key),
                ],
                name="the Typesense stand-in",
                log=self.log,
                cwd=paths.ROOT,
            )
        else:
            os.kill(self._child.pid, signal.SIGUSR2)
        self._child.wait_until(lambda: http_ok(f"{self.url}/health"), timeout_s=timeout_s)
        return self

    def stop(self, *, timeout_s: float = 30.0) -> None:
        """Stop, and keep port and documents for the next start. Raises LocalError."""
        if self._child is not None:
            os.kill(self._child.pid, signal.SIGUSR1)
            self._child.wait_until(
                lambda: not http_answers(f"{self.url}/health"), timeout_s=timeout_s
            )

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the process; what it held is gone."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
