"""The whole service on this machine: servers, deployment, indexes, and delivery of the streams."""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from types import TracebackType
from typing import Any, Self

import boto3

from local import outside, package, stages
from local.delivery.takeover import take_over
from local.deploy import Deployment, check_node
from local.downloads import Say
from local.errors import LocalError
from local.locks import sole_stack
from local.paths import ROOT, STATE
from local.servers.emulator import Emulator
from local.servers.opensearch import OpenSearchServer
from local.servers.typesense import NotHere, TypesenseServer
from sync.cli.calls import deployed
from sync.cli.local_stack import DESCRIPTION, STAGE
from sync.stages.attach import attach
from sync.stages.files import path_of

LOGS = STATE / "logs"
TYPESENSE_ACTIONS = (  # those that the service's API key has to allow
    "aliases:list",
    "aliases:upsert",
    "collections:create",
    "collections:get",
    "collections:list",
    "collections:update",
    "documents:delete",
    "documents:export",
    "documents:get",
    "documents:import",
    "documents:search",
)


class Stack:
    """One stack of this clone; `with Stack() as stack:` brings it up and takes it down again.

    *say* takes a line for each step. *root* holds the sources to deploy. With *alone*, it does not
    start beside another stack of this clone; tests pass False. Raises LocalError with the name of a
    part that can't start. If no Typesense runs on this machine, the stack does without it.
    """

    aliases = ("icao_aircraft", "icao_manufacturers", "products")

    def __init__(
        self, *, say: Say = print, logs: Path = LOGS, root: Path = ROOT, alone: bool = True
    ) -> None:
        self._say = say
        self._root = root
        self._alone = alone
        self._logs = logs
        self._open = ExitStack()
        self._outputs: Mapping[str, str] = {}
        self.left_out: dict[str, str] = {}  # the sinks without a server on this machine, and why
        self._clients: dict[str, Any] = {}
        self._making = Lock()

    def __enter__(self) -> Self:
        try:
            if self._alone:
                self._open.enter_context(sole_stack(STATE / "stack.lock"))
                self._open.enter_context(_described())
            self._start()
            if self._alone:
                DESCRIPTION.write_text(json.dumps(self._describe()))
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def _start(self) -> None:
        check_node()
        self._say("starting OpenSearch, Typesense and the AWS emulator, packaging the service")
        self.opensearch = OpenSearchServer(log=self._logs / "opensearch.log", say=self._say)
        self._open.callback(self.opensearch.close)
        self.typesense = TypesenseServer(log=self._logs / "typesense.log", say=self._say)
        self._open.callback(self.typesense.close)
        with ThreadPoolExecutor(3) as pool:
            search = pool.submit(self.opensearch.start)
            collections = pool.submit(self.typesense.start)
            packaged = pool.submit(package.build, "host", root=self._root, say=self._say)
            self._emulator = self._open.enter_context(
                Emulator(
                    opensearch=self.opensearch.url,
                    log=self._logs / "emulator.log",
                    say=self._say,
                )
            )
            env = {**self.environment, "ARTIFACT": str(packaged.result().path)}
            self._say("deploying")
            env |= self._stage()
            self.deployment = Deployment(STAGE, env, log=self._logs / "deploy.log")
            self._outputs = self.deployment.deploy()
            try:
                collections.result()
            except NotHere as why:
                self._leave_out_typesense(str(why))
            else:
                self.give_typesense_key()
            search.result()
        for made in self.deployment.invoke("admin", {"command": "mappings apply"})["targets"]:
            if made["sink"] in self.left_out:
                continue
            if "error" in made:
                raise LocalError(f"{made['sink']} alias {made['target']}: {made['error']}")
            self._say(f"{made['result']} {made['sink']} alias {made['target']}")
        function = f"stream-sync-{STAGE}-stream"
        self.drivers = take_over(function, self._session, endpoint_url=self.endpoint_url)
        for driver in self.drivers:
            self._open.enter_context(driver)

    def _stage(self) -> dict[str, str]:
        """Write the file of the stage, and attach a table that the stack does not make.

        Returns what osls needs to find it.
        """
        folder = Path(self._open.enter_context(TemporaryDirectory(prefix="stream-sync-stage-")))
        found = stages.write(folder, STAGE, stages.local(self.typesense_url))
        outside.make(self.client("dynamodb"))
        attach(self.client, path_of(STAGE, folder), STAGE, outside.NAME, outside.ROLE, None)
        return found

    @property
    def endpoint_url(self) -> str:
        """Where the AWS emulator answers."""
        return self._emulator.endpoint

    @property
    def opensearch_url(self) -> str:
        return self.opensearch.url

    @property
    def typesense_url(self) -> str:
        return self.typesense.url

    @property
    def typesense_api_key(self) -> str:
        """The administrator's key, which allows every action."""
        return self.typesense.api_key

    def give_typesense_key(self) -> None:
        """Put a new API key into the secret. A function reads it when its old one is refused."""
        self.client("secretsmanager").put_secret_value(
            SecretId=self._outputs["TypesenseApiKeyArn"],
            SecretString=self.typesense.create_key("of the functions", TYPESENSE_ACTIONS),
        )

    def _leave_out_typesense(self, why: str) -> None:
        self._say(f"Typesense is left out: {why}")
        self.left_out["typesense"] = why
        self.let_typesense_work(False)

    def let_typesense_work(self, enabled: bool) -> None:
        """Switch the worker of the Typesense queue on or off."""
        functions = self.client("lambda")
        name = f"stream-sync-{STAGE}-typesense"
        for mapping in functions.list_event_source_mappings(FunctionName=name)[
            "EventSourceMappings"
        ]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    @property
    def environment(self) -> dict[str, str]:
        """An environment in which AWS tools and clients reach the emulator."""
        return self._emulator.environment()

    @property
    def tables(self) -> Mapping[str, str]:
        """The full names of the tables, by short name."""
        return {"core": self._outputs["CoreTable"], "products": self._outputs["ProductsTable"]}

    @property
    def dead_letter_queue_url(self) -> str:
        return self._outputs["DeadLetterQueueUrl"]

    @property
    def resync_queue_url(self) -> str:
        return self._outputs["ResyncQueueUrl"]

    @property
    def typesense_queue_url(self) -> str:
        return self._outputs["TypesenseQueueUrl"]

    @property
    def typesense_dead_letter_queue_url(self) -> str:
        return self._outputs["TypesenseDeadLetterQueueUrl"]

    def command(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of the deployed admin function to *payload*. Raises SyncError."""
        return deployed(STAGE, self.client("lambda"))(payload)

    @cached_property
    def _session(self) -> boto3.Session:
        env = self.environment
        return boto3.Session(
            env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"]
        )

    def client(self, service: Any) -> Any:
        """The boto3 client of *service* on the emulator; several threads may share it."""
        with self._making:  # boto3 can make only one client at a time
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service, endpoint_url=self.endpoint_url
                )
            return self._clients[service]

    def _describe(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "endpoint_url": self.endpoint_url,
            "opensearch_url": self.opensearch_url,
            "typesense_url": self.typesense_url,
            "typesense_api_key": self.typesense_api_key,
            "left_out": self.left_out,
            "environment": self._emulator.environment({}),  # nothing of the user's own
            "outputs": dict(self._outputs),
        }


@contextmanager
def _described() -> Iterator[None]:
    """Remove the description of the stack: an old one now, and ours once everything is down."""
    DESCRIPTION.unlink(missing_ok=True)
    try:
        yield
    finally:
        DESCRIPTION.unlink(missing_ok=True)
