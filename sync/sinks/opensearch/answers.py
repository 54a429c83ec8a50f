"""What OpenSearch's answers mean, for each op of a bulk request and for the whole request."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sync.errors import Misconfigured, Refused, Retry, Throttled, Unavailable
from sync.sinks.opensearch.advice import advice
from sync.writing.op import Done, Op, Result

HARMLESS_ID = "-"  # of a harmless update, which changes nothing and is sent only for its answer
MAX_TEXT = 400  # characters of an error that are kept

# Item errors with status 400 that are about the index, not about the document.
INDEX_ERRORS = frozenset(
    ["index_closed_exception", "invalid_index_name_exception", "routing_missing_exception"]
)
INDEX_REASONS = re.compile(r"no write index is defined|pipeline with id .* does not exist")

# The part of an error that quotes a document's values: these must not be logged.
QUOTED = re.compile(
    r"\s*(Preview of field's value:|The prefix of the first immense term is:).*", re.DOTALL
)


class Rejected(Exception):
    """A whole request was rejected, perhaps because of one of its ops."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status


def action(op: Op) -> str:
    """The action of *op* in a bulk request and in its answer."""
    return "delete" if op.body is None else "index"


def items_of(answer: Any, asked: Sequence[tuple[str, str]]) -> list[Mapping[str, Any]]:
    """What *answer* to a bulk request says of each action of it. *asked*: their kinds and ids.

    Raises Unavailable if the items of *answer* do not match the request: the results are unknown.
    """
    items = answer.get("items") if isinstance(answer, Mapping) else None
    if not isinstance(items, list):
        raise Unavailable("the answer has no list of items")
    if len(items) != len(asked):
        raise Unavailable(f"the answer has {len(items)} items for {len(asked)} actions")
    return [
        _held(item, kind, document_id)
        for item, (kind, document_id) in zip(items, asked, strict=True)
    ]


def _held(item: Any, kind: str, document_id: str) -> Mapping[str, Any]:
    """What *item* says of the action *kind* of a document. Raises Unavailable."""
    held = item.get(kind) if isinstance(item, Mapping) else None
    if not isinstance(held, Mapping) or not isinstance(held.get("status"), int):
        raise Unavailable(f"the answer has no {kind} of {document_id!r} in its place")
    if held.get("_id") != document_id:
        raise Unavailable(f"the answer has another id in the place of {document_id!r}")
    return held


def is_missing(item: Mapping[str, Any]) -> bool:
    """Whether an item of an answer says that there is no such alias or index."""
    error = item.get("error")
    return isinstance(error, Mapping) and error.get("type") == "index_not_found_exception"


def item_result(kind: str, item: Mapping[str, Any]) -> Result:
    """The result of one op, from its item in the answer to a bulk request.

    A server that answers for each item is up: a Retry is about the op's target alone.
    """
    status: int = item["status"]
    error = item.get("error")
    if error is None and (200 <= status < 300 or (kind == "delete" and status == 404)):
        return Done.WRITTEN  # deleting a missing document answers 404 not_found, without an error
    error_type = error.get("type") if isinstance(error, Mapping) else None
    if status == 409 and error_type == "version_conflict_engine_exception":
        return Done.STALE
    text = f"{status} {describe(error)}"
    if status == 413 or (status == 400 and not _about_index(error_type, text)):
        return Refused(f"{text}; {what}" if (what := advice(error)) else text)
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
    """The error of a whole request whose *status* is not 2xx; *error* came with the status."""
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

    Reasons of causes are left out: they quote values in too many ways.
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
