"""What tests of servers and other processes share."""

import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from local.servers.typesense import TypesenseServer

_PATIENCE_S = 30  # until a test that waits in vain fails


def emptied(server: TypesenseServer) -> TypesenseServer:
    """*server*, running, without an alias, a collection or a key."""
    with server.start().client() as client:
        for alias in client.aliases.retrieve()["aliases"]:
            client.aliases[alias["name"]].delete()
        for collection in client.collections.retrieve():
            client.collections[collection["name"]].delete()
        for key in client.keys.retrieve()["keys"]:
            client.keys[key["id"]].delete()
    return server


class Switchboard:
    """Who is there and who is gone, known without polling.

    Processes connect and say `NAME PID`; the kernel hangs up for them when they end. When the
    switchboard is closed those still connected read end of file, and should end.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_PATIENCE_S)
        self._lines: dict[str, socket.socket] = {}
        self.port: int = self._listener.getsockname()[1]
        self.pids: dict[str, int] = {}

    def wait_for(self, names: Iterable[str]) -> None:
        """Return once all of *names* have connected."""
        while missing := set(names) - self._lines.keys():
            try:
                line, _ = self._listener.accept()
            except TimeoutError:
                raise AssertionError(f"never connected: {missing}") from None
            line.settimeout(_PATIENCE_S)
            name, pid = line.recv(1024).decode().split()
            self._lines[name] = line
            self.pids[name] = int(pid)

    def wait_until_gone(self, names: Iterable[str]) -> None:
        """Return once all of *names* have ended."""
        for name in names:
            try:
                assert self._lines[name].recv(1) == b""
            except TimeoutError:
                raise AssertionError(f"still running: {name}") from None

    def is_there(self, name: str) -> bool:
        """Whether *name*, seen by `wait_for`, still runs."""
        line = self._lines[name]
        line.setblocking(False)
        try:
            return line.recv(1) != b""
        except BlockingIOError:
            return True
        finally:
            line.settimeout(_PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for line in (self._listener, *self._lines.values()):
            line.close()
