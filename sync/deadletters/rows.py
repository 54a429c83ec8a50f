"""Builds rows of the dead-letter table from messages of the dead-letter queues. Pure functions.

The kinds of rows, and what they are built from:

    quarantined   a dead letter that this service published: a sink or model refused a record
    given-up      a record that Lambda gave up on
    lost-range    records that Lambda gave up on, without content: only their sequence numbers
    invocation    an asynchronous or scheduled invocation that failed, with its payload
    parked        a key in a message of the resync queue that failed too often
    queued        an action in a message of a lane that failed too often
    unknown       any other message, whole

Letters of one key and sink are merged into one row, with the newest letter (row.py).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sync.aws.keys import keys_in
from sync.deadletters.row import Row
from sync.errors import RecordError
from sync.lanes.messages import Action
from sync.recovery.bodies import Payload
from sync.recovery.letters import LONGEST_ERROR, LONGEST_TRACE, SCHEMA, digest, row_id
from sync.recovery.parking import ParkedMessage
from sync.runtime.jsontext import compact
from sync.runtime.moments import epoch, iso
from sync.stream.record import table_of, version_of

_LONGEST_ID = 200  # characters; our ids have 32, and DynamoDB allows 2,048 bytes


def quarantined(letter: Mapping[str, Any]) -> Row:
    """The row of *letter*, which this service published.

    Raises RecordError if its schema is another, and LookupError, TypeError or ValueError if it is
    malformed.
    """
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
            error=str(error["message"])[:LONGEST_ERROR],
            trace=str(error["trace"])[-LONGEST_TRACE:],
            version=version,
            after=max(version, _ns(at_s)),
            state=_text(letter.get("state")),
            body=compact(record) if payload is None else None,
            payload=payload,
        )
    )


def given_up(record: Any, document: Mapping[str, Any], *, wait_s: float) -> Row:
    """The row of *record*, which Lambda gave up on, by its on-failure *document*.

    Requests of the last invocation may take effect for another *wait_s*; the key must not be
    resynced earlier. A malformed record has a row, too.
    """
    at_s = epoch(document["timestamp"])
    context = document["requestContext"]
    cause = (document.get("responseContext") or {}).get("functionError") or "no function error"
    fields = record if isinstance(record, dict) else {}
    body = fields.get("dynamodb")
    version = version_of(record)
    return _of_key(
        Row(
            id=digest("given-up", _text(fields.get("eventID")) or compact(record)),
            kind="given-up",
            first_at=iso(at_s),
            last_at=iso(at_s),
            table=_table(record),
            keys=keys_in(body.get("Keys")) if isinstance(body, dict) else None,
            error_class=str(context["condition"]),
            error=(
                f"Lambda gave up after {context.get('approximateInvokeCount')} invocations: {cause}"
            )[:LONGEST_ERROR],
            version=version,
            after=max(version, _ns(at_s + wait_s)),
            body=compact(record),
        )
    )


def lost_range(document: Mapping[str, Any]) -> Row:
    """The row of records that Lambda gave up on, by an on-failure *document* without their content,
    as Lambda sends to any destination but S3.

    Raises RecordError, KeyError, TypeError or ValueError.
    """
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
            f"Lambda gave up on {int(info['batchSize'])} records; only their sequence numbers are "
            f"known. To write the items that exist: python -m sync resync --table {table}"
        ),
        body=compact(document),
    )


def invocation(document: Mapping[str, Any], now_s: float) -> Row:
    """The row of a failed asynchronous or scheduled invocation (Lambda guide, invocation-async).

    Emulators omit timestamp and requestId. *now_s*: epoch seconds.
    """
    at = iso(epoch(document["timestamp"]) if "timestamp" in document else now_s)
    context = document["requestContext"]
    response = document.get("responsePayload")
    failure = response if isinstance(response, dict) else {}
    trace = failure.get("stackTrace")
    id_ = digest("invocation", _text(context.get("requestId")) or compact(document))
    return Row(
        id=id_,
        letter=id_,
        kind="invocation",
        first_at=at,
        last_at=at,
        target=_text(context.get("functionArn")),
        error_class=str(failure.get("errorType") or context["condition"]),
        error=str(failure.get("errorMessage") or context["condition"])[:LONGEST_ERROR],
        trace="".join(map(str, trace))[-LONGEST_TRACE:] if isinstance(trace, list) else None,
        body=compact(document["requestPayload"]),
    )


def parked(body: str, receives: str, now_s: float) -> list[Row]:
    """A row for each key in *body*, a message of the resync queue that was received *receives*
    times. Raises RecordError."""
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
    """The row of *action*, from a message of a lane of *sink* that was received *receives* times.

    The worker's last request may take effect for another *wait_s*; the key must not be resynced
    earlier.
    """
    source, version = action.source, action.version
    return _of_key(
        Row(
            id=digest("queued", action.collection, action.id, str(version)),
            kind="queued",
            first_at=iso(now_s),
            last_at=iso(now_s),
            table=source.table,
            keys=source.keys,
            sink=sink,
            target=action.collection,
            document_id=action.id,
            error_class="MessageFailed",
            error=(
                f"its message was received {receives} times and never handled; "
                "the log of the function behind the queue says why"
            ),
            version=version,
            after=max(version, _ns(now_s + wait_s)),
            body=action.text(),
        )
    )


def unknown(body: str, why: Exception | None, now_s: float, *, sink: str | None = None) -> Row:
    """The row of any other or malformed message. *why*: the error, if any; *sink*: of its lane."""
    body = body.encode(errors="backslashreplace").decode()
    id_ = digest("unknown", body)
    return Row(
        id=id_,
        letter=id_,
        kind="unknown",
        first_at=iso(now_s),
        last_at=iso(now_s),
        sink=sink,
        error_class=type(why).__name__ if why else "Unknown",
        error=str(why or "not a message that this queue is for")[:LONGEST_ERROR],
        body=body,
    )


def _letter_id(letter: Mapping[str, Any]) -> str:
    """The id in *letter*; a digest of the whole letter if that id can't be the key of a row."""
    id_ = _text(letter["id"])
    if id_ and id_.isascii() and len(id_) <= _LONGEST_ID:
        return id_
    return digest("quarantined", compact(letter))


def _of_key(row: Row) -> Row:
    """*row* with the id of its key, if it has one; so far its id is that of its letter."""
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
    """Nanoseconds, rounded down to milliseconds."""
    return int(epoch_s * 1000) * 10**6
