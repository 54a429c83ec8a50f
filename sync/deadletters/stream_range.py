"""A range of a stream that Lambda gave up on, read back while the stream has it (24 h)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sync.aws import Clients, failures
from sync.deadline import Deadline
from sync.errors import RecordError, Unavailable
from sync.items import text_only

if TYPE_CHECKING:
    from datetime import datetime

_PAGE: Final = 1000  # the most that GetRecords answers (API reference)
_IMAGES: Final = ("Keys", "NewImage", "OldImage")


@dataclass(frozen=True, slots=True)
class StreamRange:
    """The records of *shard_id* from *start* to *end*, both included; *size* as Lambda counted."""

    stream_arn: str
    shard_id: str
    start: str
    end: str
    size: int

    @classmethod
    def of(cls, info: Any) -> "StreamRange":
        """From DDBStreamBatchInfo (Lambda guide, services-dynamodb-errors). Raises RecordError."""
        try:
            found = cls(
                str(info["streamArn"]),
                str(info["shardId"]),
                str(info["startSequenceNumber"]),
                str(info["endSequenceNumber"]),
                int(info["batchSize"]),
            )
            if int(found.start) > int(found.end):
                raise ValueError("it ends before it starts")
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"not a range of a stream: {error!r}") from error
        return found

    def __contains__(self, number: str) -> bool:
        return int(self.start) <= int(number) <= int(self.end)


class Streams:
    """Reads ranges of streams."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, wanted: StreamRange, deadline: Deadline) -> list[dict[str, Any]]:
        """Those records of *wanted* that the stream still has, as Lambda hands them over.

        Fewer than its size: the others are past retention, or the stream is gone. More: Lambda
        read the shard in lanes (ParallelizationFactor), and those of other lanes are among them.
        Raises Retry.
        """
        client = self._clients("dynamodbstreams")
        gone = client.exceptions.ResourceNotFoundException
        with failures(f"reading {wanted.shard_id} of {wanted.stream_arn}"):
            try:
                try:
                    return self._read(wanted, deadline, from_start=True)
                except client.exceptions.TrimmedDataAccessException:
                    return self._read(wanted, deadline, from_start=False)
            except gone:
                return []

    def _read(
        self, wanted: StreamRange, deadline: Deadline, *, from_start: bool
    ) -> list[dict[str, Any]]:
        client = self._clients("dynamodbstreams")
        place: dict[str, str] = (
            {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": wanted.start}
            if from_start
            else {"ShardIteratorType": "TRIM_HORIZON"}
        )
        iterator = client.get_shard_iterator(
            StreamArn=wanted.stream_arn, ShardId=wanted.shard_id, **place
        )["ShardIterator"]
        found: list[dict[str, Any]] = []
        while iterator:
            if not deadline.remaining():
                raise Unavailable(f"{wanted.shard_id}: not read to {wanted.end} in time")
            answer = client.get_records(ShardIterator=iterator, Limit=_PAGE)
            for raw in answer["Records"]:
                number = raw["dynamodb"]["SequenceNumber"]
                if int(number) > int(wanted.end):
                    return found
                if number in wanted:
                    found.append(as_delivered(raw, wanted.stream_arn))
                if number == wanted.end:
                    return found
            iterator = answer.get("NextShardIterator")
        return found


def as_delivered(raw: Mapping[str, Any], stream_arn: str) -> dict[str, Any]:
    """A record of GetRecords in the shape in which Lambda hands it to a function."""
    body = raw["dynamodb"]
    created: datetime = body["ApproximateCreationDateTime"]
    record = {
        **raw,
        "dynamodb": {
            **body,
            **{name: text_only(body[name]) for name in _IMAGES if name in body},
            "ApproximateCreationDateTime": float(int(created.timestamp())),
        },
        "eventSourceARN": stream_arn,
    }
    if identity := raw.get("userIdentity"):  # PascalCase here, camelCase in an event
        record["userIdentity"] = {
            "type": identity.get("Type"),
            "principalId": identity.get("PrincipalId"),
        }
    return record
