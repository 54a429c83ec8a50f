"""serverless.yml on the emulator: deployed, invoked and removed by osls, with roles enforced."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError

from local import package, paths, stages
from local.deploy import Deployment
from local.errors import LocalError
from local.locks import locked
from local.servers.emulator import Emulator
from local.servers.opensearch import OpenSearchServer
from local.servers.typesense import TypesenseServer
from tests.integ.waiting import until
from tests.lengths import alone
from tests.servers import emptied

INDEXES = ["icao_aircraft-v1", "icao_manufacturers-v1", "products-v1"]


@pytest.fixture(scope="module")
def emulator(
    opensearch: OpenSearchServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Emulator]:
    log = tmp_path_factory.mktemp("emulator") / "emulator.log"
    with Emulator(opensearch=opensearch.url, log=log) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def typesense(typesense_server: TypesenseServer) -> TypesenseServer:
    return emptied(typesense_server)


@pytest.fixture(scope="module")
def environment(
    emulator: Emulator, typesense: TypesenseServer, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    built = package.build("host", out=tmp_path_factory.mktemp("package"))
    content = stages.local(typesense.url, opensearch={"timeout_s": 3, "refresh": True})
    where = stages.write(tmp_path_factory.mktemp("stages"), "local", content)
    return {**emulator.environment(), **where, "ARTIFACT": str(built.path)}


class Account:
    """Clients of the emulator: the administrator's, or those of a function's role."""

    def __init__(self, environment: dict[str, str], function: str | None = None) -> None:
        self._endpoint = environment["AWS_ENDPOINT_URL"]
        self._session = boto3.Session("test", "test", region_name="us-east-1")
        if function:
            role = self.client("lambda").get_function(FunctionName=function)["Configuration"][
                "Role"
            ]
            given = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test")[
                "Credentials"
            ]
            self._session = boto3.Session(
                given["AccessKeyId"],
                given["SecretAccessKey"],
                given["SessionToken"],
                region_name="us-east-1",
            )

    def client(self, service: Any) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint)


def make_deploy(environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """What `make deploy` does, with a zip that is packaged already."""
    with locked(paths.STATE / "osls.lock"):  # others may package from this checkout
        return subprocess.run(
            ["make", "-o", "package", "deploy", "STAGE=local"],
            cwd=paths.ROOT,
            env={**environment, "SLS_AWS_MONITORING_FREQUENCY": "250"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def first(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The very first deployment: nobody can have put the key into the secret."""
    return make_deploy(environment)


@pytest.fixture(scope="module")
def deployed(
    environment: dict[str, str],
    first: subprocess.CompletedProcess[str],
    typesense: TypesenseServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    assert first.returncode == 0, first.stdout + first.stderr
    log = tmp_path_factory.mktemp("deploy") / "deploy.log"
    deployment = Deployment("local", environment, log=log)
    give_key(environment, typesense.api_key)
    yield deployment
    deployment.remove()


def give_key(environment: dict[str, str], key: str) -> None:
    """As docs/deploying.md tells people to."""
    Account(environment).client("secretsmanager").put_secret_value(
        SecretId="stream-sync-local-typesense-api-key", SecretString=key
    )


@pytest.fixture(scope="module")
def indexed(deployed: Deployment, opensearch: OpenSearchServer) -> Iterator[Deployment]:
    """Deployed, with indexes and aliases, which are gone afterwards: others share the server."""
    deployed.invoke("admin", {"command": "mappings apply"})
    yield deployed
    for index in INDEXES:
        requests.delete(f"{opensearch.url}/{index}", timeout=30).raise_for_status()


def test_the_first_make_deploy_ends_well_and_says_what_is_left_to_do(
    first: subprocess.CompletedProcess[str],
) -> None:
    """Exit code 0: everything is there but what only a person can give, and that is named."""
    assert first.returncode == 0, first.stdout + first.stderr
    said = first.stdout.splitlines()
    for index in INDEXES:
        assert f"created    opensearch/{index.removesuffix('-v1')}" in said
    assert "waiting    typesense/registry" in said
    assert "  python -m sync mappings apply --stage local" in said
    assert "stream-sync-local-typesense-api-key" in first.stdout
    assert "holds no API key of Typesense yet" in first.stdout
    assert "Traceback" not in first.stdout + first.stderr


def test_a_make_deploy_that_cannot_make_what_it_should_fails(
    indexed: Deployment,
    environment: dict[str, str],
    typesense: TypesenseServer,
) -> None:
    """A key that Typesense refuses is an error, and told with its cause; the right one mends it."""
    give_key(environment, "a-key-that-is-wrong")
    Account(environment).client("lambda").update_function_configuration(
        FunctionName="stream-sync-local-admin", Description="so that it starts anew"
    )
    failed = make_deploy(environment)
    give_key(environment, typesense.api_key)
    assert failed.returncode != 0
    assert "failed     typesense/registry" in failed.stdout
    assert "401" in failed.stdout
    assert "unchanged  opensearch/products" in failed.stdout
    assert {"failed"} != {row["result"] for row in applied(indexed)}


def applied(deployment: Deployment) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = deployment.invoke("admin", {"command": "mappings apply"})[
        "targets"
    ]
    return rows


def record(outputs: dict[str, str], number: int, product: dict[str, Any]) -> dict[str, Any]:
    """What Lambda is given for a product that was put."""
    return {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": outputs["ProductsStreamArn"],
        "dynamodb": {
            "ApproximateCreationDateTime": 1_790_000_000.0,
            "Keys": {"productId": product["productId"]},
            "NewImage": product,
            "SequenceNumber": f"{10**20 + number}",
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def test_a_record_becomes_a_document(indexed: Deployment, opensearch: OpenSearchServer) -> None:
    """The deployed function finds its settings, its packages and OpenSearch."""
    product = {"productId": {"S": "p-1"}, "name": {"S": "Kettle"}, "price": {"N": "12.50"}}
    answer = indexed.invoke("stream", {"Records": [record(indexed.outputs(), 1, product)]})
    assert answer == {"batchItemFailures": []}
    found = requests.get(f"{opensearch.url}/products/_doc/p-1", timeout=30).json()
    assert found["_source"] == {"productId": "p-1", "name": "Kettle", "price": 12.5}


def test_a_poison_record_becomes_a_row(indexed: Deployment) -> None:
    """Through topic, queue and consumer, each with the rights of its role, as it was."""
    outputs = indexed.outputs()
    poison = record(outputs, 2, {"productId": {"S": "p-2"}, "name": {"S": "Kettle, no price"}})
    assert indexed.invoke("stream", {"Records": [poison]}) == {"batchItemFailures": []}

    def found() -> list[Any]:
        rows: list[Any] = indexed.invoke("admin", {"command": "dlq list", "model": "Product"})[
            "rows"
        ]
        return rows

    (row,) = until("a dead letter", found)
    assert row["table"] == outputs["ProductsTable"]
    assert "price" in row["error"]
    shown = indexed.invoke("admin", {"command": "dlq show", "id": row["id"]})
    assert shown["body"] == poison


def test_a_role_allows_what_its_function_does(
    deployed: Deployment, environment: dict[str, str]
) -> None:
    """The emulator asks for permissions, and these are given."""
    outputs = deployed.outputs()
    stream = Account(environment, "stream-sync-local-stream")
    stream.client("sns").publish(TopicArn=outputs["DeadLetterTopicArn"], Message="{}")
    bucket = outputs["PayloadBucket"]
    for key in ("letters/row/large", "aws/lambda/uuid/given-up"):  # its own, and Lambda's
        stream.client("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")
    stream.client("s3").list_objects_v2(Bucket=bucket)
    entry: Any = {"Id": "1", "MessageBody": "{}", "DelaySeconds": 900}
    stream.client("sqs").send_message_batch(QueueUrl=outputs["ResyncQueueUrl"], Entries=[entry])
    worker = Account(environment, "stream-sync-local-typesense")
    worker.client("secretsmanager").get_secret_value(SecretId=outputs["TypesenseApiKeyArn"])


FORBIDDEN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "read a table": ("dynamodb", "scan", {"TableName": "stream-sync-local-core"}),
    "write a table": (
        "dynamodb",
        "put_item",
        {"TableName": "stream-sync-local-products", "Item": {"productId": {"S": "p"}}},
    ),
    "raise an alarm": ("sns", "publish", {"TopicArn": "{AlarmTopicArn}", "Message": "!"}),
    "read a payload": (
        "s3",
        "get_object",
        {"Bucket": "{PayloadBucket}", "Key": "letters/row/large"},
    ),
    "write elsewhere in the bucket": (
        "s3",
        "put_object",
        {"Bucket": "{PayloadBucket}", "Key": "large", "Body": b"{}"},
    ),
    "read dead letters": ("sqs", "receive_message", {"QueueUrl": "{DeadLetterQueueUrl}"}),
    "read parked keys": ("sqs", "receive_message", {"QueueUrl": "{ResyncQueueUrl}"}),
    "read the key of Typesense": (
        "secretsmanager",
        "get_secret_value",
        {"SecretId": "{TypesenseApiKeyArn}"},
    ),
    "read what is on its way to Typesense": (
        "sqs",
        "receive_message",
        {"QueueUrl": "{TypesenseQueueUrl}"},
    ),
    "forget what counts": (
        "dynamodb",
        "delete_item",
        {"TableName": "{ContributionsTable}", "Key": {"id": {"S": "any"}}},
    ),
    "list dead letters": ("dynamodb", "scan", {"TableName": "{DeadLetterTable}"}),
    "call the admin": ("lambda", "invoke", {"FunctionName": "stream-sync-local-admin"}),
}


@pytest.mark.parametrize("wish", FORBIDDEN)
def test_the_stream_function_may_not(
    wish: str, deployed: Deployment, environment: dict[str, str]
) -> None:
    """A role grants its function's work and nothing beside it."""
    service, call, arguments = FORBIDDEN[wish]
    outputs = deployed.outputs()
    arguments = {
        name: value.format(**outputs) if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    client = Account(environment, "stream-sync-local-stream").client(service)
    with pytest.raises(ClientError) as refused:
        getattr(client, call)(**arguments)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}
    assert "not authorized" in str(refused.value) or "Access Denied" in str(refused.value)


def test_a_function_that_raises_is_an_error_that_says_why(deployed: Deployment) -> None:
    """Whoever invokes by hand sees the cause, not a stack of the tool."""
    with pytest.raises(LocalError, match=r"osls invoke failed(.|\n)*no command 'dance'"):
        deployed.invoke("admin", {"command": "dance"})


@pytest.mark.soak
@alone("every test of this file deploys")
def test_all_of_it_works_twice_in_a_row(environment: dict[str, str], tmp_path: Path) -> None:
    """Deployed, changed in nothing, invoked and removed, and then all over again."""
    told: list[tuple[int, int, str]] = []
    with Emulator(log=tmp_path / "emulator.log") as emulator:
        service = Deployment(
            "local",
            {**environment, "AWS_ENDPOINT_URL": emulator.endpoint},
            log=tmp_path / "deploy.log",
            progress=lambda *resource: told.append(resource),
        )
        for _ in range(2):
            told.clear()
            outputs = service.deploy()
            done, total, _last = told[-1]
            assert done == total
            assert "ProductsTable" in {name for _, _, name in told}
            told.clear()
            assert service.deploy() == outputs
            assert told == []
            unknown = record(outputs, 1, {"productId": {"S": "p"}})
            unknown["eventSourceARN"] = outputs["CoreStreamArn"]
            unknown["dynamodb"]["Keys"] = {"PK": {"S": "UNKNOWN"}, "SK": {"S": "UNKNOWN"}}
            assert service.invoke("stream", {"Records": [unknown]}) == {"batchItemFailures": []}
            service.remove()
            with pytest.raises(LocalError, match="stream-sync-local is not deployed"):
                service.outputs()
        service.remove()


def test_a_zip_that_is_not_there_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    """The commonest slip, to deploy before packaging, says what is missing."""
    missing = str(tmp_path / "never-built.zip")
    service = Deployment("local", {**environment, "ARTIFACT": missing}, log=tmp_path / "log")
    with pytest.raises(LocalError, match=r"never-built\.zip"):
        service.deploy()
