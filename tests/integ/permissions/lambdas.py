"""What Lambda asks for with a function's role, which no test of ours sees."""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.asked import READERS, Ask

FUNCTIONS: Final = ("stream", "resync", "typesense", "deadletters", "admin")

# Pages are those of the Lambda guide.
OWN: Final[Mapping[str, tuple[Ask, ...]]] = {
    "it writes what functions log (monitoring-cloudwatchlogs)": tuple(
        Ask(function, f"logs:{action}", f"log/{function}")
        for function in FUNCTIONS
        for action in ("CreateLogStream", "PutLogEvents")
    ),
    "it reads the streams (with-ddb); see also UNKNOWN": tuple(
        Ask("stream", f"dynamodb:{action}", f"stream/{table}")
        for table in ("core", "products")
        for action in ("DescribeStream", "GetRecords", "GetShardIterator")
    ),
    "it writes the batches that it gave up on (services-dynamodb-errors)": (
        Ask("stream", "s3:PutObject", "bucket/aws/lambda/x"),
        Ask("stream", "s3:ListBucket", "bucket"),
    ),
    "it tells of what it gave up on, where givenUpTo is topic (services-dynamodb-errors)": (
        Ask("stream", "sns:Publish", "topic/dead-letters"),
    ),
    "it reads the queues (services-sqs-configure)": tuple(
        Ask(function, f"sqs:{action}", f"queue/{queue}")
        for queue, function in READERS.items()
        for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    ),
    "it tells of asynchronous invocations that failed (invocation-async-retain-records)": (
        Ask("admin", "sns:Publish", "topic/dead-letters"),
    ),
    "it makes network interfaces in a VPC, and removes them (configuration-vpc)": tuple(
        Ask(function, f"ec2:{action}", resource)
        for function in FUNCTIONS
        for action, resource in (
            ("CreateNetworkInterface", "network-interface"),
            ("CreateNetworkInterface", "subnet"),
            ("CreateNetworkInterface", "security-group"),
            ("DeleteNetworkInterface", "network-interface"),
            ("AssignPrivateIpAddresses", "network-interface"),
            ("UnassignPrivateIpAddresses", "network-interface"),
            ("DescribeNetworkInterfaces", "*"),
            ("DescribeSubnets", "*"),
        )
    ),
}

# What IAM's reference knows for no stream, so that a simulator refuses to say. Lambda asks all the
# same whether the role may do it on the stream, when the mapping is made.
UNKNOWN: Final = frozenset(["dynamodb:ListStreams"])


def own() -> Iterator[Ask]:
    for asks in OWN.values():
        yield from asks
