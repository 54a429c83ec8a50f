"""AWS clients: made once, one at a time, whoever asks."""

import ast
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Lock
from typing import Any, ClassVar
from unittest.mock import Mock

import boto3
import pytest

from sync.aws import clients as aws
from sync.aws.keys import Source
from sync.runtime.clock import SystemClock
from sync.runtime.deadline import Deadline
from sync.sinks.memory import Memory
from sync.writing.fanout import Fanout
from sync.writing.op import Done, Op, Outcome
from sync.writing.sink import Sink

ROOT = Path(__file__).parents[3]
THREADS = 16
TOGETHER_S = 0.5  # for others to come, where nothing keeps them out


class Maker:
    """Stands in for `boto3.client`; sees whether two threads are ever in it at once."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.together = False
        self._meeting = Barrier(2)
        self._lock = Lock()

    def client(self, service: str, **_: Any) -> object:
        try:
            self._meeting.wait(TOGETHER_S)
            self.together = True
        except BrokenBarrierError:  # nobody came, or somebody gave up: from now on nobody waits
            pass
        with self._lock:
            self.made.append(service)
        return Mock()


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Maker]:
    maker = Maker()
    monkeypatch.setattr(boto3, "client", maker.client)
    aws._made.cache_clear()
    yield maker
    aws._made.cache_clear()


def test_clients_are_made_one_at_a_time(maker: Maker) -> None:
    """To make several at once is unsupported, say boto3's maintainers."""
    start = Barrier(THREADS)

    def ask(n: int) -> tuple[str, object]:
        service = f"service {n % 4}"
        start.wait()
        return service, aws.client(service)

    with ThreadPoolExecutor(THREADS) as pool:
        given = list(pool.map(ask, range(THREADS)))
    assert not maker.together
    assert sorted(maker.made) == [f"service {n}" for n in range(4)]
    assert len(set(given)) == 4  # each thread has the one client of its service


def test_the_meeting_would_be_seen(maker: Maker) -> None:
    """The test above can fail: without the lock two threads do meet."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(aws._made, ["one", "another"]))
    assert maker.together


def asking(service: str) -> type[Sink]:
    """A sink whose writes need AWS's client for *service*."""

    class Asking(Memory):
        name: ClassVar[str] = service

        def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterator[Outcome]:
            aws.client(service)
            aws.client("shared")
            return (Outcome(op, Done.WRITTEN) for op in ops)

    return Asking


def test_sinks_that_write_at_once_make_clients_one_after_another(maker: Maker) -> None:
    """The fan-out has a thread for each sink, and each sink asks when it first writes."""
    kinds = [asking(service) for service in ("dynamodb", "sqs", "secretsmanager")]
    fanout = Fanout({kind.name: kind.from_env({}) for kind in kinds}, SystemClock())
    source = Source("table", {"id": {"S": "a"}})
    ops = [Op(kind.name, source, "target", "a", b"{}", 1) for kind in kinds]
    written = list(fanout.write(ops, Deadline(30)))
    assert len(written) == 3
    assert not maker.together
    assert sorted(maker.made) == ["dynamodb", "secretsmanager", "shared", "sqs"]


def makes_clients(source: str) -> list[int]:
    """The lines on which *source* makes a client or resource, of boto3 or of a session."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"client", "resource", "create_client"}
    ]


def test_nothing_makes_clients_beside_it() -> None:
    """Or the lock would guard some only. The CLI's own process has one thread and one client."""
    files = sorted((ROOT / "sync").rglob("*.py"))
    making = [
        path.relative_to(ROOT).as_posix() for path in files if makes_clients(path.read_text())
    ]
    assert making == ["sync/aws/clients.py", "sync/cli/calls.py"]
    assert makes_clients("import boto3\nx = boto3.Session().client('s3')") == [2]
