"""All that functions could ask for: what each of them does ask for, and what is near that."""

from collections.abc import Collection, Iterator
from itertools import product
from typing import Final

from tests.asked import Ask

# Beside what is asked for: such as other tables, other objects of the bucket, another bucket.
ELSEWHERE: Final = (
    "table/elsewhere",
    "table/dead-letters/index/elsewhere",
    "stream/elsewhere",
    "queue/elsewhere",
    "topic/elsewhere",
    "secret/elsewhere",
    "bucket/elsewhere/x",
    "bucket-elsewhere",
    "bucket-elsewhere/letters/x",
    "domain/elsewhere",
    "domain/x-vx/_doc/x",
    "domain/_cluster/settings",
    "domain-elsewhere/_bulk",
    "log/elsewhere",
)
_SERVICES: Final = {
    "table": "dynamodb",
    "stream": "dynamodb",
    "queue": "sqs",
    "topic": "sns",
    "secret": "secretsmanager",
    "bucket": "s3",
    "domain": "es",
    "log": "logs",
}


def probes(asks: Collection[Ask]) -> Iterator[Ask]:
    """Each action with each resource of its service, whoever asks for either; nobody's.

    Some are no questions, such as a message from a table: to those IAM has no answer.
    """
    actions = {ask.action for ask in asks}
    resources = {*(ask.resource for ask in asks), *ELSEWHERE}
    seen = {(ask.action, ask.seen.partition("=")[0]) for ask in asks}
    values = {ask.seen for ask in asks if ask.resource == "table/core"}
    for action, resource in product(sorted(actions), sorted(resources)):
        kind = resource.partition("/")[0].removesuffix("-elsewhere")
        if _SERVICES.get(kind) != action.partition(":")[0]:
            continue
        if (action, "dynamodb:LeadingKeys") in seen:
            if resource == "table/core":
                yield from (Ask("", action, resource, value) for value in sorted(values) if value)
            else:
                yield Ask("", action, resource, "dynamodb:LeadingKeys=x")
        elif (action, "s3:prefix") in seen:
            for prefix in ("", "letters/x", "aws/lambda/x", "elsewhere/x"):
                yield Ask("", action, resource, f"s3:prefix={prefix}" if prefix else "")
        else:
            yield Ask("", action, resource)
