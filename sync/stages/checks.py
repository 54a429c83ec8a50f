"""What AWS and servers say of the parts of a stage, before it is deployed."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

import requests

from sync.aws import tables
from sync.aws.clients import Clients, failures
from sync.errors import Retry
from sync.stages.schema import Existing, Stage, Table
from sync.stages.template import template

Level = Literal["good", "warning", "fault"]

MOST_READERS: Final = 2  # of a shard (DynamoDB guide, Streams: more are throttled)
LONGEST_STAGE: Final = 16  # characters: a domain is called stream-sync-<stage>, and has 28
FEWEST_AT_ONCE: Final = 20  # executions: the least that the functions of a busy stage need
_ANSWERS_S: Final = 5.0  # within which a server has to answer


class Finding(NamedTuple):
    """What a check found of the field *of*, and what a person should do about it."""

    of: str
    level: Level
    said: str
    advice: str = ""


def checked(name: str, stage: Stage, clients: Clients) -> Iterator[Finding]:
    """What there is to say of *stage*, called *name*. Changes nothing. Raises ConfigError."""
    template(stage)  # raises for what the file alone shows
    yield from _of_name(name)
    account = _account(clients)
    region = clients("dynamodb").meta.region_name
    for role, table in stage.tables.items():
        if table.stream:
            field = f"tables.{role}"
            yield from _of_table(clients, field, table, table.stream, account, region, name)
    if stage.opensearch and stage.opensearch.existing:
        yield from _of_domain(clients, stage.opensearch.existing, region)
    if stage.typesense:
        yield from _of_typesense(stage.typesense.url)
        if stage.typesense.secret:
            yield from _of_secret(clients, stage.typesense.secret)
    yield from _of_quotas(clients)


def _of_name(name: str) -> Iterator[Finding]:
    if len(name) > LONGEST_STAGE:
        yield Finding(
            "the stage's name",
            "fault",
            f"{name} has {len(name)} characters, more than {LONGEST_STAGE}",
            "names of AWS's resources are made of it: choose a shorter one",
        )


def _of_table(
    clients: Clients, field: str, table: Table, stream: str, account: str, region: str, stage: str
) -> Iterator[Finding]:
    """What there is to say of a *table* that exists. *account*, *region*: where *stage* is."""
    _, _, _, its_region, its_account, rest = stream.split(":", 5)
    name = rest.split("/")[1]
    if its_region != region:
        advice = f"deploy the stage to {its_region}: Lambda reads streams of its own region alone"
        yield Finding(field, "fault", f"{name} is in {its_region}, not in {region}", advice)
        return
    if its_account != account:
        advice = "deploy the stage to the account of its table"
        said = f"{name} is in the account {its_account}, and this one is {account}"
        yield Finding(field, "fault", said, advice)
        return
    try:
        found = tables.describe(clients, name)
    except Retry as error:
        yield Finding(field, "fault", str(error), "its description is needed to check it")
        return
    if found is None:
        yield Finding(field, "fault", f"there is no table {name}", "correct its name")
        return
    if list(found.keys.items()) != list(table.keys.items()):
        yield Finding(
            field,
            "fault",
            f"{name} has the keys {_shown(found.keys)}, not {_shown(table.keys)}",
            "correct `keys`",
        )
    yield from of_stream(clients, field, found, stage)
    if found.stream and found.stream != stream:
        yield Finding(
            field,
            "fault",
            f"the stream of {name} is now {found.stream}",
            "it was switched off and on: correct `stream`, deploy, and resync the table",
        )


def of_stream(clients: Clients, field: str, found: tables.Table, stage: str) -> Iterator[Finding]:
    """Whether *stage* can read the stream of the table *found*."""
    switch = (
        f"aws dynamodb update-table --table-name {found.name} "
        "--stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    )
    if found.stream is None:
        yield Finding(field, "fault", f"{found.name} has no stream", switch)
        return
    if found.view not in ("NEW_AND_OLD_IMAGES", "NEW_IMAGE"):
        advice = (
            "a view can't be changed, so other readers of this stream have to agree: "
            f"switch it off with StreamEnabled=false, then {switch}"
        )
        said = f"the stream of {found.name} holds {found.view}: no new images"
        yield Finding(field, "fault", said, advice)
    elif found.view == "NEW_IMAGE":
        advice = "NEW_AND_OLD_IMAGES would spare the sinks what leaves a document as it was"
        said = f"the stream of {found.name} holds no old images"
        yield Finding(field, "warning", said, advice)
    readers = _readers(clients, found.stream, stage)
    if len(readers) >= MOST_READERS:
        yield Finding(
            field,
            "fault",
            f"the stream of {found.name} has {len(readers)} readers: {', '.join(readers)}",
            "DynamoDB throttles a third: let one of them read from the other's function",
        )
    elif readers:
        said = f"{found.name}: {found.view}, {found.items:,} items; also read by {readers[0]}"
        yield Finding(field, "good", said)
    else:
        yield Finding(field, "good", f"{found.name}: {found.view}, {found.items:,} items")


def _readers(clients: Clients, stream: str, stage: str) -> list[str]:
    """The functions that read *stream*, without that of *stage* itself. Raises Retry."""
    with failures(f"asking who reads {stream}"):
        pages = clients("lambda").get_paginator("list_event_source_mappings")
        names = {
            mapping["FunctionArn"].rpartition(":function:")[2]
            for page in pages.paginate(EventSourceArn=stream)
            for mapping in page["EventSourceMappings"]
        }
    return sorted(names - {f"stream-sync-{stage}-stream"})


def _of_domain(clients: Clients, domain: Existing, region: str) -> Iterator[Finding]:
    field = "opensearch.existing"
    _, _, _, its_region, _, rest = domain.arn.split(":", 5)
    name = rest.partition("/")[2]
    if its_region != region:
        said = f"the domain {name} is in {its_region}, not in {region}"
        yield Finding(field, "warning", said, "each bulk request crosses regions")
    else:
        yield from _of_domain_here(clients, field, name, domain)
    yield from _of_server(field, domain.endpoint)


def _of_domain_here(clients: Clients, field: str, name: str, domain: Existing) -> Iterator[Finding]:
    opensearch = clients("opensearch")
    try:
        with failures(f"describing the domain {name}"):
            told = opensearch.describe_domain(DomainName=name)["DomainStatus"]
    except Retry as error:
        yield Finding(field, "fault", str(error), "correct `arn`")
        return
    if not told["EngineVersion"].startswith("OpenSearch_"):
        advice = "upgrade it to OpenSearch: what this service asks of it was tried with no other"
        yield Finding(field, "fault", f"{name} is {told['EngineVersion']}", advice)
    endpoints = {told.get("Endpoint"), *told.get("Endpoints", {}).values()} - {None}
    host = urlsplit(domain.endpoint).netloc
    if endpoints and host not in endpoints:
        said = f"the endpoint of {name} is {', '.join(sorted(endpoints))}, not {host}"
        yield Finding(field, "fault", said, "correct `endpoint`")


def _of_server(field: str, url: str) -> Iterator[Finding]:
    """Whether OpenSearch answers at *url*; not signed, so AWS may well refuse."""
    answer = _asked(url)
    if isinstance(answer, str):
        said = f"{url} does not answer here: {answer}"
        advice = "right if it is in a VPC; the functions need a way to it"
        yield Finding(field, "warning", said, advice)
    elif answer.status_code in (401, 403):
        yield Finding(field, "good", f"{url} answers, to signed requests alone")
    elif isinstance(version := _told(answer, "version"), dict) and "number" in version:
        yield Finding(field, "good", f"{url}: version {version['number']}")
    else:
        said = f"{url} is no OpenSearch: it answers {answer.status_code}"
        yield Finding(field, "fault", said, "correct `endpoint`")


def _of_typesense(url: str) -> Iterator[Finding]:
    field = "typesense.url"
    answer = _asked(f"{url.rstrip('/')}/health")
    if isinstance(answer, str):
        said = f"{url} does not answer here: {answer}"
        yield Finding(field, "warning", said, "right if only the functions have a way to it")
    elif (healthy := _told(answer, "ok")) is None:
        said = f"{url} is no Typesense: it answers {answer.status_code}"
        yield Finding(field, "fault", said, "correct it")
    else:
        level: Level = "good" if healthy else "warning"
        yield Finding(field, level, f"{url} is {'' if healthy else 'not '}healthy")


def _asked(url: str) -> requests.Response | str:
    """What *url* answers, or why it does not."""
    try:
        return requests.get(url, timeout=_ANSWERS_S, allow_redirects=False)
    except requests.RequestException as error:
        return type(error).__name__


def _told(answer: requests.Response, name: str) -> Any:
    """The value of *name* in *answer*; None if it is no JSON object, or has no such value."""
    try:
        told = answer.json()
    except ValueError:
        return None
    return told.get(name) if isinstance(told, dict) else None


def _of_secret(clients: Clients, arn: str) -> Iterator[Finding]:
    try:
        with failures("describing the secret"):
            clients("secretsmanager").describe_secret(SecretId=arn)
    except Retry as error:
        yield Finding("typesense.secret", "fault", str(error), "correct its ARN, or leave it out")


def _of_quotas(clients: Clients) -> Iterator[Finding]:
    try:
        with failures("asking for the quotas of Lambda"):
            limit = clients("lambda").get_account_settings()["AccountLimit"]
    except Retry as error:
        yield Finding("the account", "warning", str(error))
        return
    at_once = limit["ConcurrentExecutions"]
    if at_once < FEWEST_AT_ONCE:
        said = f"Lambda runs {at_once} functions of this account at once"
        yield Finding("the account", "warning", said, "ask AWS for more before production")


def _account(clients: Clients) -> str:
    """The number of the account. Raises Retry."""
    with failures("asking whose credentials these are"):
        return str(clients("sts").get_caller_identity()["Account"])


def _shown(keys: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in keys.items())
