"""The parts of the local stack that the demo needs."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Server(Protocol):
    """A server that can be stopped and started again on its port, with its data."""

    def stop(self) -> object: ...

    def start(self) -> object:
        """Start it, and return once it answers."""
        ...


class LocalStack(Protocol):
    """A deployed stack. Tables go by short name: core and products."""

    @property
    def opensearch(self) -> Server: ...

    @property
    def opensearch_url(self) -> str: ...

    @property
    def typesense(self) -> Server: ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """The sinks without a server on this machine, and why."""
        ...

    @property
    def typesense_url(self) -> str: ...

    @property
    def typesense_api_key(self) -> str: ...

    @property
    def endpoint_url(self) -> str:
        """Where the AWS emulator answers."""
        ...

    @property
    def tables(self) -> Mapping[str, str]: ...

    @property
    def aliases(self) -> Sequence[str]:
        """The aliases of OpenSearch."""
        ...

    def command(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """The deployed admin function's answer to the payload of a command."""
        ...

    def client(self, service: str) -> Any:
        """A boto3 client for *service*, which several threads may share."""
        ...
