"""What OpenSearch's answers mean: for each op of a bulk request, and for a request as a whole."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.errors import Misconfigured, Refused, Retry, Throttled, Unavailable
from sync.writing.op import Done, Op, Result

HARMLESS_ID = "-"  # of the update that changes nothing, and is sent only for its answer
MAX_TEXT = 400  # characters of an error that are kept

# Item errors with status 400 that are about the index, not about the document.
INDEX_ERRORS = frozenset(
    ["index_closed_exception", "invalid_index_name_exception", "routing_missing_exception"]
)
INDEX_REASONS = re.compile(r"no write index is defined|pipeline with id .* does not exist")

# What quotes a document's values, and has no place in a log.
QUOTED = re.compile(
    r"\s*(Preview of field's value:|The prefix of the first immense term is:).*", re.DOTALL
)


class Rejected(Exception):
    """A whole request was rejected, perhaps for one of its ops."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


def action(op: Op) -> str:
    """What a bulk request and its answer call *op*."""
    return "delete" if op.body is None else "index"


def read_items(answer: Any, guards: int, ops: Sequence[Op]) -> list[Result]:
    """One result per op, from the answer to a request of *guards* harmless updates, then *ops*.

    Raises Unavailable if the answer is not item by item about them: then nothing is known.
    """
    items = answer.get("items") if isinstance(answer, Mapping) else None
    if not isinstance(items, list):
        raise Unavailable("the answer has no list of items")
    asked = [("update", HARMLESS_ID)] * guards + [(action(op), op.id) for op in ops]
    if len(items) != len(asked):
        raise Unavailable(f"the answer has {len(items)} items for {len(asked)} asked")
    return [
        item_result(kind, held) for (kind, _), held in zip(asked, _held(items, asked), strict=True)
    ][guards:]


def _held(items: Sequence[Any], asked: Sequence[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
    for item, (kind, document_id) in zip(items, asked, strict=True):
        held = item.get(kind) if isinstance(item, Mapping) else None
        if not isinstance(held, Mapping) or not isinstance(held.get("status"), int):
            raise Unavailable(f"the answer has no {kind} where {document_id!r} was asked")
        if held.get("_id") != document_id:
            raise Unavailable(f"the answer has another id where {document_id!r} was asked")
        yield held


def item_result(kind: str, item: Mapping[str, Any]) -> Result:
    """What became of one op, from its item in the answer to a bulk request.

    A server that answers item by item is there: what may pass is trouble of the op's target.
    """
    status: int = item["status"]
    error = item.get("error")
    if error is None and (200 <= status < 300 or (kind == "delete" and status == 404)):
        return Done.WRITTEN  # a delete of what isn't there answers 404 not_found, without an error
    error_type = error.get("type") if isinstance(error, Mapping) else None
    if status == 409 and error_type == "version_conflict_engine_exception":
        return Done.STALE
    text = f"{status} {describe(error)}"
    if status == 413 or (status == 400 and not _about_index(error_type, text)):
        return Refused(text)
    if status == 429:
        return Throttled(text, of_target=True)
    if 400 <= status < 500 and status not in (408, 409):
        return Misconfigured(text, of_target=True)
    return Unavailable(text, of_target=True)


def _about_index(error_type: Any, text: str) -> bool:
    if error_type == "illegal_argument_exception":
        return INDEX_REASONS.search(text) is not None
    return error_type in INDEX_ERRORS


def request_failure(status: int, error: Any) -> Retry | Rejected:
    """What a status that isn't 2xx says of a whole request; *error* is what came with it."""
    text = describe(error)
    if status == 429:
        return Throttled(f"429 {text}")
    if status == 408 or status >= 500:
        return Unavailable(f"{status} {text}")
    if status < 400 or status in (401, 404):
        return Misconfigured(f"{status} {text}")
    return Rejected(status, text)


def describe(error: Any) -> str:
    """Type and reason of *error*, and the types of its causes, without a document's values.

    Causes give their type only: their reasons quote values in too many ways.
    """
    if not isinstance(error, Mapping):
        return " ".join(str(error or "").split())[:MAX_TEXT]
    text = str(error.get("type"))
    if reason := QUOTED.sub("", str(error.get("reason") or "")):
        text += f": {reason[:MAX_TEXT]}"
    cause = error.get("caused_by")
    while isinstance(cause, Mapping) and len(text) < 2 * MAX_TEXT:
        text += f" < {cause.get('type')}"
        cause = cause.get("caused_by")
    return text
