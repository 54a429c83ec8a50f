"""A server of ours on 127.0.0.1: its port, its directory, its process."""

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from local import paths
from local.processes import Child, free_port


class Server(ABC):
    """It can be stopped and started again on the same port; `close` removes what it wrote.

    *name* begins its directory's. *port* 0 means a free one. *log* takes everything it prints.
    """

    def __init__(self, name: str, port: int, log: Path) -> None:
        self.port = port or free_port()
        self.log = log
        self._name = name
        self._scratch: Path | None = None
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The base URL, the same for as long as this object lives."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process, None while it is stopped."""
        return self._child.pid if self._child else None

    def start(self, *, timeout_s: float = 120.0) -> Self:
        """Start, and return when it answers; if it runs already, do nothing.

        Raises LocalError when something can't be downloaded or the server doesn't come up.
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
        """Stop it and all it has started; *grace_s* 0 is a crash."""
        if self._child is not None:
            self._child.stop(grace_s)
            self._child = None

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop, and remove its directory."""
        self.stop()
        if self._scratch is not None:
            paths.discard(self._scratch)
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
        """Install what it needs, and start its process. Raises LocalError."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether it answers."""

    def _directory(self) -> Path:
        """What it may write to, until it is closed."""
        if self._scratch is None:
            self._scratch = paths.scratch(self._name)
        return self._scratch
