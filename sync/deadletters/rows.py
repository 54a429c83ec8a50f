"""From a message of the dead-letter queue to rows of the dead-letter table. Pure.

What arrives there, and the kind of row that it becomes:

    quarantined   a letter of our own: a record, or item, that a sink or model refuses
    given-up      a record of a range of a stream on which Lambda gave up
    lost-range    such a range, where the stream no longer has (all of) its records
    invocation    an asynchronous or scheduled invocation that failed, with its payload
    parked        a key whose message on the resync queue failed too often
    queued        what a message of a sink's own queue, which failed too often, says of one document
    unknown       anything else, whole
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sync.change import table_of
from sync.deadletters.bodies import Payload
from sync.deadletters.letters import SCHEMA
from sync.deadletters.stream_range import StreamRange
from sync.deadletters.table import Row
from sync.errors import RecordError
from sync.moments import epoch, iso
from sync.ops import AttributeMap, Op
from sync.recovery.parking import Message
from sync.versions import stream_version

_LONGEST_ERROR, _LONGEST_TRACE = 2_000, 8_000  # characters


def quarantined(letter: Mapping[str, Any]) -> Row:
    """The row of a letter of our own. Raises RecordError where it is none, or of a newer schema."""
    if letter["schema"] != SCHEMA:
        raise RecordError(f"a letter of schema {letter['schema']!r}; this is {SCHEMA}")
    at_s = epoch(letter["at"])
    error = letter["error"]
    record = letter.get("record")
    payload = Payload.read(letter["payload"]) if "payload" in letter else None
    return Row(
        id=_text(letter["id"]) or _digest("quarantined", compact(letter)),
        kind="quarantined",
        first_at=iso(at_s),
        last_at=iso(at_s),
        table=_text(letter.get("table")),
        keys=keys_of(letter.get("keys")),
        sink=_text(letter.get("sink")),
        target=_text(letter.get("target")),
        document_id=_text(letter.get("document_id")),
        error_class=str(error["class"]),
        error=str(error["message"])[:_LONGEST_ERROR],
        trace=str(error["trace"])[-_LONGEST_TRACE:],
        after=max(version_of(record), _ns(at_s)),
        body=compact(record) if payload is None else None,
        payload=payload,
    )


def given_up(record: Mapping[str, Any], document: Mapping[str, Any], *, wait_s: float) -> Row:
    """The row of a record of a range that Lambda gave up on.

    Its last invocation may have left a request under way, which has to be over before the key is
    resynced: *wait_s* from then on.
    """
    at_s = epoch(document["timestamp"])
    context = document["requestContext"]
    said = (document.get("responseContext") or {}).get("functionError") or "no function error"
    event = record.get("eventID") or compact(record)
    return Row(
        id=_digest("given-up", event),
        kind="given-up",
        first_at=iso(at_s),
        last_at=iso(at_s),
        table=_table(record),
        keys=keys_of(record["dynamodb"].get("Keys")),
        error_class=str(context["condition"]),
        error=f"Lambda gave up after {context.get('approximateInvokeCount')} invocations: {said}",
        after=max(version_of(record), _ns(at_s + wait_s)),
        body=compact(record),
    )


def lost_range(wanted: StreamRange, document: Mapping[str, Any], found: int) -> Row:
    """The row of a range of which the stream has only *found* records."""
    at = iso(epoch(document["timestamp"]))
    table = table_of({"eventSourceARN": wanted.stream_arn})
    return Row(
        id=_digest("lost-range", wanted.stream_arn, wanted.shard_id, wanted.start, wanted.end),
        kind="lost-range",
        first_at=at,
        last_at=at,
        table=table,
        error_class=str(document["requestContext"]["condition"]),
        error=(
            f"the stream has {found} of the {wanted.size} records that Lambda gave up on; "
            f"what covers the others: python -m sync resync --table {table}"
        ),
        body=compact(document),
    )


def invocation(document: Mapping[str, Any], now_s: float) -> Row:
    """The row of an asynchronous or scheduled invocation (Lambda guide, invocation-async).

    Emulators leave out timestamp and requestId.
    """
    at = iso(epoch(document["timestamp"]) if "timestamp" in document else now_s)
    context = document["requestContext"]
    answer = document.get("responsePayload")
    told = answer if isinstance(answer, dict) else {}
    trace = told.get("stackTrace")
    return Row(
        id=_digest("invocation", context.get("requestId") or compact(document)),
        kind="invocation",
        first_at=at,
        last_at=at,
        target=_text(context.get("functionArn")),
        error_class=str(told.get("errorType") or context["condition"]),
        error=str(told.get("errorMessage") or context["condition"])[:_LONGEST_ERROR],
        trace="".join(map(str, trace))[-_LONGEST_TRACE:] if isinstance(trace, list) else None,
        body=compact(document["requestPayload"]),
    )


def parked(body: str, receives: str, now_s: float) -> list[Row]:
    """One row for each key of a message of the resync queue. Raises RecordError."""
    message = Message.read(body)
    return [
        Row(
            id=_digest("parked", message.sink, key.source.table, compact(key.source.keys)),
            kind="parked",
            first_at=iso(message.since),
            last_at=iso(now_s),
            table=key.source.table,
            keys=keys_of(key.source.keys),
            sink=message.sink,
            error_class="MessageFailed",
            error=(
                f"its message was received {receives} times and never handled; "
                "the log of the resync function says why"
            ),
            after=key.after,
            body=compact({"table": key.source.table, "keys": key.source.keys}),
        )
        for key in message.keys
    ]


def queued(sink: str, op: Op, said: str, receives: str, now_s: float, *, wait_s: float) -> Row:
    """The row of *op*, of which a message of the queue of *sink* says *said*.

    One for a document, however many of its messages fail. The worker's last request has to be
    over before the key is resynced: *wait_s* from now on.
    """
    source = op.source
    return Row(
        id=_digest("queued", sink, op.target, op.id, source.table, compact(source.keys)),
        kind="queued",
        first_at=iso(now_s),
        last_at=iso(now_s),
        table=source.table,
        keys=keys_of(source.keys),
        sink=sink,
        target=op.target,
        document_id=op.id,
        error_class="MessageFailed",
        error=(
            f"its message was received {receives} times and never handled; "
            "the log of the function behind the queue says why"
        ),
        after=max(op.version, _ns(now_s + wait_s)),
        body=said,
    )


def unknown(body: str, why: Exception | None, now_s: float, *, sink: str | None = None) -> Row:
    """The row of a message that is nothing of the above; *sink*: from whose queue it is."""
    return Row(
        id=_digest("unknown", body),
        kind="unknown",
        first_at=iso(now_s),
        last_at=iso(now_s),
        sink=sink,
        error_class=type(why).__name__ if why else "Unknown",
        error=str(why or "no message that this queue is for")[:_LONGEST_ERROR],
        body=body,
    )


def keys_of(value: Any) -> AttributeMap | None:
    """*value* if it is what the keys of an item can be, else None."""
    if not isinstance(value, dict) or not 1 <= len(value) <= 2:
        return None
    for attribute in value.values():
        if not isinstance(attribute, dict) or len(attribute) != 1:
            return None
        ((tag, text),) = attribute.items()
        if tag not in {"S", "N", "B"} or not isinstance(text, str):
            return None
        if tag == "B":
            try:
                base64.b64decode(text, validate=True)
            except ValueError:
                return None
    return value


def version_of(record: Any) -> int:
    """The version of the writes that *record* asks for; 0 where it can't be told."""
    try:
        body = record["dynamodb"]
        return stream_version(int(body["ApproximateCreationDateTime"]), int(body["SequenceNumber"]))
    except (KeyError, TypeError, ValueError):
        return 0


def compact(value: Any) -> str:
    """JSON in ASCII, so that lone surrogates survive as escapes and characters are bytes."""
    return json.dumps(value, separators=(",", ":"))


def _table(record: Any) -> str | None:
    try:
        return table_of(record)
    except RecordError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _ns(epoch_s: float) -> int:
    return int(epoch_s * 1000) * 10**6


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
