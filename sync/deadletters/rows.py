"""From a message of the dead-letter queue to rows of the dead-letter table. Pure.

What arrives there, and the kind of row that it becomes:

    quarantined   a letter of our own: a record, or item, that a sink or model refuses
    given-up      a record that Lambda gave up on
    lost-range    records that Lambda gave up on, told of by their numbers alone
    invocation    an asynchronous or scheduled invocation that failed, with its payload
    parked        a key whose message on the resync queue failed too often
    queued        what a message of a sink's own queue, which failed too often, says of one document
    unknown       anything else, whole

Letters of one key and sink share a row, which holds the newest (row.py).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sync.aws.keys import keys_in
from sync.deadletters.row import Row
from sync.errors import RecordError
from sync.lanes.messages import Action
from sync.recovery.bodies import Payload
from sync.recovery.letters import SCHEMA, digest, row_id
from sync.recovery.parking import ParkedMessage
from sync.runtime.jsontext import compact
from sync.runtime.moments import epoch, iso
from sync.stream.record import table_of, version_of

_LONGEST_ERROR, _LONGEST_TRACE = 2_000, 8_000  # characters
_LONGEST_ID = 200  # characters; ours have 32, and DynamoDB takes 2,048 bytes


def quarantined(letter: Mapping[str, Any]) -> Row:
    """The row of a letter of our own. Raises RecordError where it is none, or of a newer schema."""
    if letter["schema"] != SCHEMA:
        raise RecordError(f"a letter of schema {letter['schema']!r:.20}; this is {SCHEMA}")
    at_s = epoch(letter["at"])
    error = letter["error"]
    record = letter.get("record")
    payload = Payload.read(letter["payload"]) if "payload" in letter else None
    version = int(letter.get("version", 0))
    return _of_key(
        Row(
            id=_letter_id(letter),
            kind="quarantined",
            first_at=iso(at_s),
            last_at=iso(at_s),
            table=_text(letter.get("table")),
            keys=keys_in(letter.get("keys")),
            sink=_text(letter.get("sink")),
            target=_text(letter.get("target")),
            document_id=_text(letter.get("document_id")),
            error_class=str(error["class"]),
            error=str(error["message"])[:_LONGEST_ERROR],
            trace=str(error["trace"])[-_LONGEST_TRACE:],
            version=version,
            after=max(version, _ns(at_s)),
            state=_text(letter.get("state")),
            body=compact(record) if payload is None else None,
            payload=payload,
        )
    )


def given_up(record: Any, document: Mapping[str, Any], *, wait_s: float) -> Row:
    """The row of a record that Lambda gave up on, with what it says of it in *document*.

    Its last invocation may have left a request under way, which has to be over before the key is
    resynced: *wait_s* from then on. A record that is none has a row all the same.
    """
    at_s = epoch(document["timestamp"])
    context = document["requestContext"]
    said = (document.get("responseContext") or {}).get("functionError") or "no function error"
    of = record if isinstance(record, dict) else {}
    image = of.get("dynamodb")
    version = version_of(record)
    return _of_key(
        Row(
            id=digest("given-up", _text(of.get("eventID")) or compact(record)),
            kind="given-up",
            first_at=iso(at_s),
            last_at=iso(at_s),
            table=_table(record),
            keys=keys_in(image.get("Keys")) if isinstance(image, dict) else None,
            error_class=str(context["condition"]),
            error=(
                f"Lambda gave up after {context.get('approximateInvokeCount')} invocations: {said}"
            )[:_LONGEST_ERROR],
            version=version,
            after=max(version, _ns(at_s + wait_s)),
            body=compact(record),
        )
    )


def lost_range(document: Mapping[str, Any]) -> Row:
    """The row of records that Lambda gave up on and told of without their content, as it does to
    every destination but a bucket. Raises RecordError, KeyError, TypeError or ValueError."""
    at = iso(epoch(document["timestamp"]))
    info = document["DDBStreamBatchInfo"]
    table = table_of({"eventSourceARN": info["streamArn"]})
    parts = ("streamArn", "shardId", "startSequenceNumber", "endSequenceNumber")
    id_ = digest("lost-range", *(str(info[part]) for part in parts))
    return Row(
        id=id_,
        letter=id_,
        kind="lost-range",
        first_at=at,
        last_at=at,
        table=table,
        error_class=str(document["requestContext"]["condition"]),
        error=(
            f"Lambda gave up on {int(info['batchSize'])} records, of which their numbers alone are "
            f"known; what covers those of items that exist: python -m sync resync --table {table}"
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
    id_ = digest("invocation", _text(context.get("requestId")) or compact(document))
    return Row(
        id=id_,
        letter=id_,
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
    message = ParkedMessage.read(body)
    return [
        _of_key(
            Row(
                id=digest(
                    "parked", str(message.since_of(key)), str(message.tries), str(key.after_version)
                ),
                kind="parked",
                first_at=iso(message.since_of(key)),
                last_at=iso(now_s),
                table=key.source.table,
                keys=key.source.keys,
                sink=message.sink,
                error_class="MessageFailed",
                error=(
                    f"its message was received {receives} times and never handled; "
                    "the log of the resync function says why"
                ),
                version=key.after_version,
                after=key.after_version,
                body=compact({"table": key.source.table, "keys": key.source.keys}),
            )
        )
        for key in message.keys
    ]


def queued(sink: str, action: Action, receives: str, now_s: float, *, wait_s: float) -> Row:
    """The row of *action*, which a message of a lane of *sink* holds.

    The worker's last request has to be over before the key is resynced: *wait_s* from now on.
    """
    op = action.op(sink)
    return _of_key(
        Row(
            id=digest("queued", op.target, op.id, str(op.version)),
            kind="queued",
            first_at=iso(now_s),
            last_at=iso(now_s),
            table=op.source.table,
            keys=op.source.keys,
            sink=sink,
            target=op.target,
            document_id=op.id,
            error_class="MessageFailed",
            error=(
                f"its message was received {receives} times and never handled; "
                "the log of the function behind the queue says why"
            ),
            version=op.version,
            after=max(op.version, _ns(now_s + wait_s)),
            body=action.text(),
        )
    )


def unknown(body: str, why: Exception | None, now_s: float, *, sink: str | None = None) -> Row:
    """The row of a message that is nothing of the above; *sink*: from whose queue it is."""
    body = body.encode("utf-8", "backslashreplace").decode()
    id_ = digest("unknown", body)
    return Row(
        id=id_,
        letter=id_,
        kind="unknown",
        first_at=iso(now_s),
        last_at=iso(now_s),
        sink=sink,
        error_class=type(why).__name__ if why else "Unknown",
        error=str(why or "no message that this queue is for")[:_LONGEST_ERROR],
        body=body,
    )


def _letter_id(letter: Mapping[str, Any]) -> str:
    """The id that *letter* gives itself; a digest of it all where that can't be a key of a row."""
    id_ = _text(letter["id"])
    if id_ and id_.isascii() and len(id_) <= _LONGEST_ID:
        return id_
    return digest("quarantined", compact(letter))


def _of_key(row: Row) -> Row:
    """*row*, whose id is that of its letter so far, as that of its key, if it has one."""
    if row.table is None or row.keys is None:
        return replace(row, letter=row.id)
    return replace(row, letter=row.id, id=row_id(row.table, row.keys, row.sink))


def _table(record: Any) -> str | None:
    try:
        return table_of(record)
    except RecordError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _ns(epoch_s: float) -> int:
    return int(epoch_s * 1000) * 10**6
