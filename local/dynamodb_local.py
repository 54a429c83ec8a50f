"""AWS's own DynamoDB Local, in memory, on 127.0.0.1: conditions, transactions and streams."""

import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import boto3
from botocore.config import Config

from local import java, maven, paths
from local.java import Java
from local.maven import Say
from local.processes import Child, free_port, http_answers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_HERE = Path(__file__).parent / "dynamodb"
_LAUNCHER = _HERE / "LoopbackDynamoDb.java"
_JARS = _HERE / "jars.txt"  # of `python -m local.maven com.amazonaws:DynamoDBLocal:2.6.1`
_REGION = "us-east-1"
_JVM_OPTIONS = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.net.preferIPv4Stack=true",
    "--enable-native-access=ALL-UNNAMED",  # SQLite, which it keeps its tables in
)
_OPTIONS = ("-inMemory", "-sharedDb", "-disableTelemetry")


def install(runtime: Java, say: Say) -> Path:
    """Where its jars and the launcher's classes are; downloaded into the cache on first use.

    Raises LocalError.
    """
    key = hashlib.sha256(_JARS.read_bytes() + _LAUNCHER.read_bytes()).hexdigest()[:12]
    directory = paths.cache() / f"dynamodb-local-{key}"
    with paths.install(directory) as new:
        if new:
            maven.download_jars(_JARS, new / "jars", say)
            jars = sorted((new / "jars").iterdir())
            java.compile_source(_LAUNCHER, new / "classes", runtime.program, say, jars)
    return directory


class DynamoDbLocal:
    """A DynamoDB for any credentials and region; what it holds is gone when it stops.

    *port* 0 means a free one. *log* takes everything it prints. *say* takes a line for each step
    of a first start, which downloads 50 MB.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        log: Path = paths.STATE / "dynamodb-local.log",
        runtime: Java | None = None,
        say: Say = print,
    ) -> None:
        self.port = port or free_port()
        self.log = log
        self._runtime = runtime
        self._say = say
        self._scratch: Path | None = None
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The endpoint, the same for as long as this object lives."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process, None while it is stopped."""
        return self._child.pid if self._child else None

    def client(self) -> "DynamoDBClient":
        """A client of its tables. What fails is not tried again."""
        return boto3.client(
            "dynamodb",
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - none is needed, but one has to be sent
            config=Config(retries={"total_max_attempts": 1}),
        )

    def streams(self) -> "DynamoDBStreamsClient":
        """A client of its streams."""
        return boto3.client(
            "dynamodbstreams",
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 - as above
        )

    def start(self, *, timeout_s: float = 60.0) -> Self:
        """Start, and return when it answers; if it runs already, do nothing.

        Raises LocalError when something can't be downloaded or the server doesn't come up.
        """
        if self._child is not None:
            return self
        self._runtime = runtime = self._runtime or java.ensure(self._say)
        home = install(runtime, self._say)
        self._scratch = self._scratch or paths.scratch("dynamodb")
        class_path = os.pathsep.join((str(home / "classes"), str(home / "jars" / "*")))
        child = Child.start(
            [
                *(runtime.program, *_JVM_OPTIONS, f"-Djava.io.tmpdir={self._scratch}"),
                *("-cp", class_path, "local.dynamodb.LoopbackDynamoDb"),
                *(*_OPTIONS, "-port", str(self.port)),
            ],
            name="DynamoDB Local",
            log=self.log,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(self._scratch)},
            cwd=self._scratch,
        )
        try:
            child.wait_until(lambda: http_answers(self.url), timeout_s=timeout_s)
        except BaseException:
            child.stop()
            raise
        self._child = child
        return self

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Stop; all that it holds is gone."""
        if self._child is not None:
            self._child.stop(grace_s)
            self._child = None
        if self._scratch is not None:
            paths.discard(self._scratch)
            self._scratch = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
