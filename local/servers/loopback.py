"""Ports of 127.0.0.1, and whether the server on one of them answers."""

import http.client
import random
import socket
import urllib.error
import urllib.request

from local.errors import LocalError

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback needs no proxy


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens.

    It lies below the range from which the kernel takes ports for outgoing connections (from 32768
    on Linux, from 49152 on macOS). Inside that range, while a server is down, the kernel could give
    its port to a client that keeps trying to reach it. That client may even connect to itself, and
    the server can never listen there again.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LocalError("no free port found on 127.0.0.1 between 20000 and 32000")


def http_ok(url: str, *, timeout_s: float = 5.0) -> bool:
    """Whether a GET of *url* is answered with 2xx."""
    try:
        with _DIRECT.open(url, timeout=timeout_s):
            return True
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        return False
