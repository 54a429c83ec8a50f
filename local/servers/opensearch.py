"""A real OpenSearch with one node, on 127.0.0.1."""

import json
import os
import pwd
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from local import paths
from local.downloads import Say, cache, maven
from local.errors import LocalError
from local.servers import java
from local.servers.java import Java
from local.servers.loopback import http_ok
from local.servers.processes import Child
from local.servers.server import Server

VERSION = "3.6.0"
_ZIP = maven.Artifact(
    "org.opensearch.distribution.integ-test-zip",
    "opensearch",
    VERSION,
    "zip",
    sha512="b82066a97902879c47e26608848d068c09e74d2128edee2802e622867abd451d"
    "34a366acc6519d0b40fc97acc89d61c5bb330ab8b2086cf6ffa0f9fe4b9acaa4",
)
_LEFT_OUT = "/modules/ingest-geoip/"  # 73 MB of locations of IP addresses
_LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1.} %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""
_SETTINGS: Mapping[str, str | int | bool] = {
    "cluster.name": "local",
    "node.name": "local",
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "transport.port": 0,
    "node.store.allow_mmap": False,  # mmap would need a kernel setting
    "cluster.routing.allocation.disk.threshold_enabled": False,  # a full disk is no obstacle
}
# The options that bin/opensearch and config/jvm.options pass. The script is not run, since it first
# starts five Java processes (2 s). For a small machine, two options are added: the serial collector
# takes 170 MiB less than G1, and without the second compiler the start takes 1 s less.
_JVM_OPTIONS = (
    "-Xms512m",
    "-Xmx512m",
    "-Xss1m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+ExitOnOutOfMemoryError",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.awt.headless=true",
    "-Djava.locale.providers=SPI,CLDR",
    "-Dfile.encoding=UTF-8",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
    "-Dopensearch.networkaddress.cache.ttl=60",
    "-Dopensearch.networkaddress.cache.negative.ttl=10",
    "-Dopensearch.distribution.type=zip",
    "-Dopensearch.bundled_jdk=false",
)
_READY = "/_cluster/health?wait_for_status=yellow&timeout=1s"


def install(say: Say) -> Path:
    """The unpacked distribution, downloaded into the cache on first use. Raises LocalError."""
    directory = cache.directory() / f"opensearch-{VERSION}"
    with cache.install(directory) as new:
        if new:
            downloads = new / "downloads"
            packed = maven.download(_ZIP, downloads, say)
            say(f"unpacking {packed.name}")
            with zipfile.ZipFile(packed) as archive:
                archive.extractall(
                    new, (name for name in archive.namelist() if _LEFT_OUT not in name)
                )
            shutil.rmtree(downloads)
    return directory / f"opensearch-{VERSION}"


class OpenSearchServer(Server):
    """OpenSearch, which keeps its documents while it is stopped.

    The documents are in the directory *data*, which is never removed; without it, `close` removes
    them. *settings* are added to opensearch.yml. *runtime* is the Java to use instead of the one
    that `java.ensure` finds. A first start downloads 162 MB; *say* takes its progress.
    """

    def __init__(
        self,
        *,
        data: Path | None = None,
        port: int = 0,
        settings: Mapping[str, str | int | bool] | None = None,
        log: Path = paths.STATE / "opensearch.log",
        runtime: Java | None = None,
        say: Say = print,
    ) -> None:
        super().__init__("opensearch", port, log)
        self._data = data
        self._settings = settings or {}
        self._runtime = runtime
        self._say = say

    def _launch(self) -> Child:
        self._runtime = runtime = self._runtime or java.ensure(self._say)
        home = install(self._say)
        scratch = self._prepare()
        return Child.start(
            self._command(runtime, home, scratch),
            name=f"OpenSearch {VERSION}",
            log=self.log,
            env=self._environment(scratch),
            cwd=scratch,
            user=paths.server_user(),
        )

    def _ready(self) -> bool:
        return http_ok(self.url + _READY)

    def _prepare(self) -> Path:
        """Create its directories and configuration, owned by the user it runs as."""
        scratch = self._directory()
        if self._data and not paths.reachable(self._data.resolve().parent):
            raise LocalError(
                f"OpenSearch runs as {paths.server_user()} here, who can't enter {self._data}"
            )
        data = (self._data or scratch / "data").resolve()
        for directory in (data, scratch / "config", scratch / "tmp", scratch / "logs"):
            directory.mkdir(parents=True, exist_ok=True)
        settings = {
            **_SETTINGS,
            "http.port": self.port,
            "path.data": str(data),
            "path.logs": str(scratch / "logs"),
            **self._settings,
        }
        lines = (f"{name}: {json.dumps(value)}\n" for name, value in settings.items())
        (scratch / "config" / "opensearch.yml").write_text("".join(lines))
        (scratch / "config" / "log4j2.properties").write_text(_LOGGING)
        if user := paths.server_user():
            owner = pwd.getpwnam(user)
            for tree in (scratch, data):
                for directory_name, _, names in os.walk(tree):
                    for path in (directory_name, *(f"{directory_name}/{n}" for n in names)):
                        os.chown(path, owner.pw_uid, owner.pw_gid)
        return scratch

    def _command(self, runtime: Java, home: Path, scratch: Path) -> list[str | Path]:
        class_path = (str(home / "lib" / "*"), *map(str, runtime.extra))
        return [
            runtime.program,
            *_JVM_OPTIONS,
            *(["-XX:+UseCompactObjectHeaders"] if runtime.version >= 25 else []),
            f"-XX:ErrorFile={scratch}/logs/crash-%p.log",
            f"-Djava.io.tmpdir={scratch / 'tmp'}",
            f"-javaagent:{home}/agent/opensearch-agent.jar",  # limits what plugins may do
            f"-Dopensearch.path.home={home}",
            f"-Dopensearch.path.conf={scratch}/config",
            "-cp",
            os.pathsep.join(class_path),
            "org.opensearch.bootstrap.OpenSearch",
        ]
