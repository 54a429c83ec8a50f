"""AWS's own DynamoDB Local, in memory, on 127.0.0.1: conditions, transactions and streams."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import httpx
from botocore.config import Config

from local import paths
from local.downloads import Say, cache
from local.servers import java
from local.servers.java import Java
from local.servers.processes import Child
from local.servers.server import Server
from tests.dynamodb_local.jars import download_jars

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient

_HERE = Path(__file__).parent
_LAUNCHER = _HERE / "LoopbackDynamoDb.java"
_JARS = _HERE / "jars.txt"  # made by jars.py, of com.amazonaws:DynamoDBLocal:2.6.1
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
    """The directory of its jars and the launcher's classes, made in the cache on first use.

    Raises LocalError.
    """
    key = hashlib.sha256(_JARS.read_bytes() + _LAUNCHER.read_bytes()).hexdigest()[:12]
    directory = cache.directory() / f"dynamodb-local-{key}"
    with cache.install(directory) as new:
        if new:
            download_jars(_JARS, new / "jars", say)
            jars = sorted((new / "jars").iterdir())
            java.compile_source(_LAUNCHER, new / "classes", runtime.program, say, jars)
    return directory


class DynamoDbLocal(Server):
    """A DynamoDB for any credentials and region, in memory: everything is lost when it stops.

    A first start downloads 50 MB; *say* takes its progress.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        log: Path = paths.STATE / "dynamodb-local.log",
        runtime: Java | None = None,
        say: Say = print,
    ) -> None:
        super().__init__("dynamodb", port, log)
        self._runtime = runtime
        self._say = say

    def client(self) -> "DynamoDBClient":
        """A client of its tables, which makes no retries."""
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

    def _launch(self) -> Child:
        self._runtime = runtime = self._runtime or java.ensure(self._say)
        home = install(runtime, self._say)
        scratch = self._directory()
        class_path = os.pathsep.join((str(home / "classes"), str(home / "jars" / "*")))
        return Child.start(
            [
                *(runtime.program, *_JVM_OPTIONS, f"-Djava.io.tmpdir={scratch}"),
                *("-cp", class_path, "tests.dynamodb_local.LoopbackDynamoDb"),
                *(*_OPTIONS, "-port", str(self.port)),
            ],
            name="DynamoDB Local",
            log=self.log,
            env=self._environment(scratch),
            cwd=scratch,
        )

    def _ready(self) -> bool:
        return answers(self.url)


def answers(url: str) -> bool:
    """Whether a GET of *url* is answered, with whatever status: there is no page to ask for."""
    try:
        with httpx.Client(trust_env=False, timeout=5) as client:  # loopback needs no proxy
            client.get(url)
    except httpx.TransportError:
        return False
    return True
