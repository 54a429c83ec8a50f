"""What every server here has: a port of 127.0.0.1, a directory, a process."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from local.servers import scratch
from local.servers.loopback import free_port
from local.servers.processes import Child


class Server(ABC):
    """A server that can be stopped and started again on the same port; `close` removes its files.

    The name of its directory begins with *name*. *port* 0 means a free one. Everything it prints
    is appended to *log*.
    """

    def __init__(self, name: str, port: int, log: Path) -> None:
        self.port = port or free_port()
        self.log = log
        self._name = name
        self._scratch: Path | None = None
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The base URL; it never changes."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The id of the server's process; None while it is stopped."""
        return self._child.pid if self._child else None

    def start(self, *, timeout_s: float = 120.0) -> Self:
        """Start it, and return once it answers. Does nothing if it runs already.

        Raises LocalError if something can't be downloaded or the server does not come up.
        """
        if self._child is None:
            child = self._launch()
            try:
                child.wait_until(self._ready, timeout_s=timeout_s)
            except BaseException:
                child.stop()
                raise
            self._child = child
        return self

    def stop(self, *, grace_s: float = 20.0) -> None:
        """Stop it and everything it has started; with *grace_s* 0 it is killed, as in a crash."""
        if self._child is not None:
            self._child.stop(grace_s)
            self._child = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it, and remove its directory."""
        self.stop()
        if self._scratch is not None:
            scratch.discard(self._scratch)
            self._scratch = None

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

    @abstractmethod
    def _launch(self) -> Child:
        """Install the server if it is missing, and start its process. Raises LocalError."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether it answers requests."""

    @staticmethod
    def _environment(home: Path) -> dict[str, str]:
        """The environment of a server; it has nothing of the user's."""
        return {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(home)}

    def _directory(self) -> Path:
        """The directory that the server may write to; it lasts until `close`."""
        if self._scratch is None:
            self._scratch = scratch.create(self._name)
        return self._scratch
