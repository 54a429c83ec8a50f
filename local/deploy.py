"""Deploys, invokes and removes the service with osls, as a user would, and reports progress."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from local.errors import LocalError
from local.locks import locked
from local.paths import ROOT, STATE

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

Progress = Callable[[int, int, str], None]
"""Takes the number of finished resources, the number of all, and the name of the last one."""

_NODE = 20
_OSLS = ROOT / "node_modules" / ".bin" / "osls"
SETTINGS = {
    # How long osls waits for an answer, in ms; 120 s by default. The admin function may take 300 s.
    "AWS_CLIENT_TIMEOUT": "310000",
    "NODE_NO_WARNINGS": "1",
    "SLS_NOTIFICATIONS_MODE": "off",
    "SLS_TELEMETRY_DISABLED": "1",
}
_DONE = re.compile(r"_COMPLETE - (?!AWS::CloudFormation::Stack )\S+ - (?P<name>\S+)$")
_POLL_MS = "250"  # of an emulator, which has no rate limit; osls asks AWS every 5 s
_TAIL_LINES = 15


def check_node(env: Mapping[str, str] = os.environ) -> None:
    """Raise LocalError if the PATH has no Node that osls runs on."""
    try:
        version = subprocess.run(
            ["node", "--version"], env=env, capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError as error:
        raise LocalError(f"Node {_NODE} or newer is needed, and there is none: {error}") from error
    if not (found := re.match(r"v(\d+)\.", version)) or int(found[1]) < _NODE:
        raise LocalError(f"Node {_NODE} or newer is needed, and `node` is {version or 'none'}")


def _no_progress(_done: int, _total: int, _resource: str) -> None:
    """The default: progress is not reported."""


class Deployment:
    """The service as one stage of one account.

    *env* is the whole environment of osls. Its AWS_ENDPOINT_URL, credentials and AWS_REGION say
    which AWS to use, and its STREAM_SYNC_STAGES may say where stage files are. *params* are the
    parameters of serverless.yml. The output of osls is appended
    to *log*. Every method raises LocalError, with the last lines of that output, if osls fails.
    """

    def __init__(
        self,
        stage: str,
        env: Mapping[str, str] = os.environ,
        *,
        params: Mapping[str, str] | None = None,
        log: Path = STATE / "deploy.log",
        progress: Progress = _no_progress,
    ) -> None:
        self.stack = f"stream-sync-{stage}"
        self._env = {**env, **SETTINGS}
        if "AWS_ENDPOINT_URL" in env:
            self._env["SLS_AWS_MONITORING_FREQUENCY"] = _POLL_MS
        self._options = ["--stage", stage]
        self._options += [f"--param={name}={value}" for name, value in (params or {}).items()]
        self._log = log
        self._progress = progress

    def deploy(self) -> dict[str, str]:
        """Create or update the stack from serverless.yml and the zip; return its outputs.

        Does nothing if neither has changed. local/package.py has to make the zip first.
        """
        # Into a new folder, since others may package from the same checkout at the same time.
        with tempfile.TemporaryDirectory(prefix="stream-sync-deploy-") as folder:
            self.package(Path(folder))
            template = Path(folder, "cloudformation-template-update-stack.json")
            resources = json.loads(template.read_text())["Resources"].values()
            total = sum("Condition" not in resource for resource in resources)
            self._osls("deploy", "--verbose", "--package", folder, total=total)
        return self.outputs()

    def package(self, folder: Path) -> None:
        """Write the templates for CloudFormation and the state of osls to *folder*."""
        self._osls("package", "--package", str(folder))

    def remove(self) -> None:
        """Remove the stack, if there is one, with all resources that it does not retain."""
        try:
            resources = self._cloudformation().describe_stack_resources(StackName=self.stack)
        except ClientError as error:
            if _is_missing(error):
                return
            raise
        self._osls("remove", "--verbose", total=len(resources["StackResources"]))

    def invoke(self, function: str, payload: object) -> Any:
        """Invoke *function*, named as in serverless.yml; payload and answer are JSON values.

        Raises LocalError with the function's error and trace if it fails.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(payload, file)
            file.flush()
            answer = self._osls("invoke", "--function", function, "--path", file.name)
        return json.loads(answer)

    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name. Raises LocalError if it is not deployed."""
        try:
            stack = self._cloudformation().describe_stacks(StackName=self.stack)["Stacks"][0]
        except ClientError as error:
            if _is_missing(error):
                raise LocalError(f"{self.stack} is not deployed") from error
            raise
        return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", ())}

    def _osls(self, command: str, *args: str, total: int = 0) -> str:
        """Run osls and return its output. Progress is reported if *total* resources are given."""
        if not _OSLS.exists():
            raise LocalError("osls is not installed: run `make setup`")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with (
            _alone(command),
            tempfile.TemporaryFile("w+") as answer,
            self._log.open("a") as log,
        ):
            errors = []
            with subprocess.Popen(
                [_OSLS, command, *self._options, *args],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.PIPE,
                text=True,
            ) as osls:
                try:
                    for line in self._watch(osls.stderr or (), total):
                        log.write(line)
                        errors.append(line)
                except BaseException:
                    osls.terminate()
                    raise
            answer.seek(0)
            printed = answer.read()
            log.write(printed)
        if osls.returncode != 0:
            lines = (printed + "".join(errors)).strip().splitlines()[-_TAIL_LINES:]
            raise LocalError("\n    ".join([f"osls {command} failed; see {self._log}", *lines]))
        return printed

    def _watch(self, lines: Iterable[str], total: int) -> Iterator[str]:
        """Yield *lines*, and report progress for each resource that a line calls complete."""
        done = set()
        for line in lines:
            yield line
            if total and (event := _DONE.search(line)):
                done.add(event["name"])
                self._progress(len(done), max(total, len(done)), event["name"])

    def _cloudformation(self) -> "CloudFormationClient":
        env = self._env
        session = boto3.Session(
            aws_access_key_id=env.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=env.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=env.get("AWS_SESSION_TOKEN"),
            region_name=env.get("AWS_REGION", "us-east-1"),
            profile_name=env.get("AWS_PROFILE"),
        )
        return session.client("cloudformation", endpoint_url=env.get("AWS_ENDPOINT_URL"))


def _is_missing(error: ClientError) -> bool:
    return "does not exist" in error.response["Error"].get("Message", "")


def _alone(command: str) -> AbstractContextManager[None]:
    """Keep others of this checkout waiting: osls works in .serverless, whatever --package says."""
    if command not in {"package", "deploy"}:
        return nullcontext()
    STATE.mkdir(exist_ok=True)
    return locked(STATE / "osls.lock")
