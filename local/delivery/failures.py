"""The document that Lambda sends to a mapping's on-failure destination (page ER).

It holds metadata only; destinations.py adds the event for a bucket. Assumed, since the page is
silent: times of arrival are the records' creation times; a batch that never reached the function
has a null requestId and responseContext; expired records get the same condition as records beyond
the maximum record age; every invocation that any of the records was part of is counted.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from local.delivery.ports import Answered
from local.delivery.records import Record
from local.delivery.settings import MappingSettings

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"


def document(
    settings: MappingSettings,
    shard_id: str,
    records: Sequence[Record],
    *,
    condition: str,
    invocations: int,
    last: Answered | None,
    now: float,
) -> dict[str, Any]:
    """The on-failure document for *records*, given up at *now* after *last* was answered."""
    response = last and {
        "statusCode": last.status,
        "executedVersion": last.version,
        "functionError": last.error,
    }
    return {
        "requestContext": {
            "requestId": last and last.request_id,
            "functionArn": settings.function_arn,
            "condition": condition,
            "approximateInvokeCount": invocations,
        },
        "responseContext": response,
        "version": "1.0",
        "timestamp": _iso(now, "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": records[0].sequence_number,
            "endSequenceNumber": records[-1].sequence_number,
            "approximateArrivalOfFirstRecord": _iso(records[0].created_s, "seconds"),
            "approximateArrivalOfLastRecord": _iso(records[-1].created_s, "seconds"),
            "batchSize": len(records),
            "streamArn": settings.stream_arn,
        },
    }


def _iso(epoch_s: float, timespec: str) -> str:
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return moment.isoformat(timespec=timespec).removesuffix("+00:00") + "Z"
