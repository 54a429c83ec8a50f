"""The real AWS emulator: its functions end with it, run on our Python, and obey their roles."""

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from local.paths import ROOT
from local.servers.emulator import REGION, Emulator
from tests.servers import Switchboard

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient

# Connects to a switchboard, stays connected, and starts a process that leaves the session.
STAYS = """
import os, socket, subprocess, sys
CODE = '''
import os, socket, sys
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
line.sendall(f"grandchild {os.getpid()}".encode())
line.recv(1)
'''
lines = []
def handle(event, context):
    lines.append(socket.create_connection(("127.0.0.1", event["port"])))
    lines[0].sendall(f"worker {os.getpid()}".encode())
    argv = [sys.executable, "-c", CODE, str(event["port"])]
    subprocess.Popen(argv, start_new_session=True, stdout=2)
"""
ASKS = """
import sys
import botocore.exceptions, botocore.session
def handle(event, context):
    tables = botocore.session.get_session().create_client("dynamodb")
    try:
        return {"python": sys.version, "tables": tables.list_tables()["TableNames"]}
    except botocore.exceptions.ClientError as error:
        return {"python": sys.version, "error": error.response["Error"]["Code"]}
"""
OWNER = """
import sys
from pathlib import Path
from local.servers.emulator import Emulator
emulator = Emulator(log=Path(sys.argv[1])).start()
print(emulator.port, flush=True)
sys.stdin.read()
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
LIST_TABLES = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "dynamodb:ListTables", "Resource": "*"}],
}


class Cloud:
    """Functions on one emulator, each with a role of its name."""

    def __init__(self, endpoint: str) -> None:
        session = boto3.Session("test", "test", region_name=REGION)
        self.roles: IAMClient = session.client("iam", endpoint_url=endpoint)
        self.functions: LambdaClient = session.client("lambda", endpoint_url=endpoint)

    def create(self, name: str, code: str) -> None:
        role = self.roles.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("function.py", code)
        self.functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Handler="function.handle",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": packed.getvalue()},
        )

    def invoke(self, name: str, payload: object = None) -> Any:
        answer = self.functions.invoke(FunctionName=name, Payload=json.dumps(payload))
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.load(answer["Payload"])


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(opensearch="http://127.0.0.1:9", log=tmp_path / "emulator.log") as running:
        yield running


def test_functions_end_with_the_emulator(emulator: Emulator) -> None:
    """Stopping it ends the processes of its functions, and what they have started."""
    cloud = Cloud(emulator.endpoint)
    cloud.create("stays", STAYS)
    with Switchboard() as board:
        cloud.invoke("stays", {"port": board.port})
        board.wait_for(["worker", "grandchild"])
        emulator.stop()
        board.wait_until_gone(["worker", "grandchild"])


def test_functions_end_when_the_owner_is_killed(tmp_path: Path) -> None:
    """Nobody has to be alive to clear up."""
    with (
        Switchboard() as board,
        subprocess.Popen(
            [sys.executable, "-c", OWNER, tmp_path / "log"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as owner,
    ):
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        cloud = Cloud(f"http://127.0.0.1:{port}")
        cloud.create("stays", STAYS)
        cloud.invoke("stays", {"port": board.port})
        board.wait_for(["worker", "grandchild"])
        owner.kill()
        board.wait_until_gone(["worker", "grandchild"])


def test_functions_run_on_our_python_under_their_own_role(emulator: Emulator) -> None:
    """The interpreter is that of .venv; a role allows what it says and nothing else."""
    cloud = Cloud(emulator.endpoint)
    cloud.create("asks", ASKS)
    refused = cloud.invoke("asks")
    assert refused == {"python": sys.version, "error": "AccessDeniedException"}
    cloud.roles.put_role_policy(
        RoleName="asks", PolicyName="read", PolicyDocument=json.dumps(LIST_TABLES)
    )
    assert cloud.invoke("asks") == {"python": sys.version, "tables": []}


def test_a_domain_is_the_server_that_was_given(emulator: Emulator) -> None:
    """What a template reads as the endpoint of its domain is the OpenSearch of this stack."""
    domains = boto3.Session("test", "test", region_name=REGION).client(
        "opensearch", endpoint_url=emulator.endpoint
    )
    domains.create_domain(DomainName="search")
    status = domains.describe_domain(DomainName="search")["DomainStatus"]
    assert status["Endpoint"] == "127.0.0.1:9"


def test_a_client_gets_nothing_of_the_users_account() -> None:
    """Of the user's own AWS variables none is left; the rest of the environment is."""
    mine = {"AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "secret", "PATH": "/bin"}
    environment = Emulator(port=4566).environment(mine)
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN"}.isdisjoint(environment)
    assert environment["PATH"] == "/bin"
    assert environment["AWS_CONFIG_FILE"] == os.devnull
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
