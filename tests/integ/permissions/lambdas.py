"""What Lambda asks for with a function's role, as the template has it do; no test of ours sees it.

Pages are those of the Lambda guide.
"""

from collections.abc import Iterator
from typing import Any, Final

from tests.asked import Ask
from tests.integ.template.reading import Template, functions, of_type, properties, resolved, shown

# What IAM's reference knows for no stream, so that a simulator refuses to say. Lambda asks all the
# same whether the role may do it on the stream, when the mapping is made (with-ddb).
UNKNOWN: Final = frozenset(["dynamodb:ListStreams"])

_STREAMS: Final = ("DescribeStream", "GetRecords", "GetShardIterator")  # with-ddb
_QUEUES: Final = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")  # services-sqs-configure
_NETWORK: Final = (  # configuration-vpc
    ("CreateNetworkInterface", "network-interface"),
    ("CreateNetworkInterface", "subnet"),
    ("CreateNetworkInterface", "security-group"),
    ("DeleteNetworkInterface", "network-interface"),
    ("AssignPrivateIpAddresses", "network-interface"),
    ("UnassignPrivateIpAddresses", "network-interface"),
    ("DescribeNetworkInterfaces", "*"),
    ("DescribeSubnets", "*"),
)


def own(template: Template) -> Iterator[Ask]:
    """It writes logs, reads streams and queues, tells what it gave up on, connects to a network."""
    for function in functions(template).values():
        name = short(function["FunctionName"])
        for action in ("CreateLogStream", "PutLogEvents"):  # monitoring-cloudwatchlogs
            yield Ask(name, f"logs:{action}", f"log/{name}")
        if "VpcConfig" in resolved(template, function):
            yield from (Ask(name, f"ec2:{action}", resource) for action, resource in _NETWORK)
    for mapping in of_type(template, "Lambda::EventSourceMapping").values():
        yield from _reading(template, mapping["Properties"])
        yield from _giving_up(template, mapping["Properties"])
    for asynchronous in of_type(template, "Lambda::EventInvokeConfig").values():
        yield from _giving_up(template, asynchronous["Properties"])


def _reading(template: Template, mapping: dict[str, Any]) -> Iterator[Ask]:
    function = _function(template, mapping)
    source, attribute = mapping["EventSourceArn"]["Fn::GetAtt"]
    if attribute == "StreamArn":
        table = short(properties(template, source)["TableName"])
        yield from (Ask(function, f"dynamodb:{action}", f"stream/{table}") for action in _STREAMS)
    else:
        queue = short(properties(template, source)["QueueName"])
        yield from (Ask(function, f"sqs:{action}", f"queue/{queue}") for action in _QUEUES)


def _giving_up(template: Template, given: dict[str, Any]) -> Iterator[Ask]:
    """Of batches (services-dynamodb-errors) and of asynchronous events (invocation-async)."""
    function = _function(template, given)
    match given.get("DestinationConfig"):
        case {"OnFailure": {"Destination": {"Fn::GetAtt": ["PayloadBucket", "Arn"]}}}:
            yield Ask(function, "s3:PutObject", "bucket/aws/lambda/x")
            yield Ask(function, "s3:ListBucket", "bucket")
        case {"OnFailure": {"Destination": {"Ref": "DeadLetterTopic"}}}:
            yield Ask(function, "sns:Publish", "topic/dead-letters")
        case other:
            assert other is None, other


def _function(template: Template, given: dict[str, Any]) -> str:
    name = shown(given["FunctionName"]).removesuffix(".Arn")
    return short(properties(template, name)["FunctionName"])


def short(name: str) -> str:
    """*name* without the stage's, such as core for stream-sync-prod-core."""
    return name.split("-", 3)[3]
