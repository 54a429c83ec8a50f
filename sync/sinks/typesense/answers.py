"""What Typesense's answers mean, for each line of an import and for the whole request.

Its texts and codes are in typesense/typesense, src/collection.cpp and src/core_api.cpp.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sync.errors import Misconfigured, Refused, Retry, Throttled, Unanswered, Unavailable
from sync.writing.op import Done, Op, Result

MAX_TEXT: Final = 400  # characters of an error that are kept

# The part of a parser's error that quotes the document: it must not be logged.
_QUOTED: Final = re.compile(r"[;,]?\s*last read:.*", re.DOTALL)
# The server is short of disk or memory (raft_server.cpp): nothing is wrong with the document.
_NO_ROOM: Final = "Rejecting write"
_NO_DOCUMENT: Final = "Could not find a document"


class Busy(Throttled):
    """429, 503, or no room: the server needs a longer pause than other retries."""


class Forbidden(Misconfigured):
    """403: not from Typesense itself, but from a firewall or proxy before it.

    It may reject the text of a single document.
    """


class TooLarge(Exception):
    """413: the whole request is too large for a proxy before the server."""


def read_import(answer: str, ops: Sequence[Op]) -> list[Result]:
    """The result of each of *ops*, from the answer to the import of their documents, in order.

    Raises Unanswered if the lines of *answer* do not match *ops*: the results are unknown.
    """
    lines = answer.split("\n")
    if len(lines) != len(ops):
        raise Unanswered(f"the answer has {len(lines)} lines for {len(ops)} documents")
    return [_line_result(line, op) for line, op in zip(lines, ops, strict=True)]


def _line_result(text: str, op: Op) -> Result:
    try:
        line = json.loads(text)
    except ValueError as error:
        raise Unanswered("a line of the answer is not JSON") from error
    success = line.get("success") if isinstance(line, dict) else None
    if not isinstance(success, bool):
        raise Unanswered("a line of the answer does not say whether its document was written")
    if line.get("id", op.id) != op.id:
        raise Unanswered(f"a line of the answer has another id in the place of {op.id!r}")
    if success:
        return Done.WRITTEN
    return document_failure(line.get("code"), line.get("error"))


def document_failure(code: Any, error: Any) -> Refused | Retry:
    """The error of one document of an import, whose line has *code* and *error*.

    Codes are HTTP status codes. A line without a code tells no cause, so it is a Retry.
    """
    text = f"{code} {describe(error)}"
    if isinstance(code, int) and code < 500 and code not in (408, 409):
        if code == 429 or _NO_ROOM in text:
            return Throttled(text)
        if code in (401, 403):
            return Misconfigured(text, of_target=True)
        if code >= 400:
            return Refused(text)
    return Unavailable(text, of_target=True)


def request_failure(status: Any, error: Any) -> Retry | TooLarge:
    """The error of a whole request whose *status* is not 2xx; *error* is the message with it."""
    text = f"{status} {describe(error)}"
    if status in (429, 503) or _NO_ROOM in text:
        return Busy(text)
    if status == 413:
        return TooLarge(text)
    if status == 403:
        return Forbidden(text)
    if isinstance(status, int) and 300 <= status < 500 and status != 408:
        return Misconfigured(text, of_target=status == 404)  # the collection is missing
    return Unanswered(text)  # after a gateway's 502 or 504 the result is unknown


def read_delete(answer: Any, op: Op) -> Result:
    """The result of deleting *op*'s document. Raises Unanswered."""
    if not isinstance(answer, Mapping):
        raise Unanswered("the answer to a delete is not an object")
    if answer.get("id") != op.id and not isinstance(answer.get("num_deleted"), int):
        raise Unanswered(f"the answer is not about the delete of {op.id!r}")
    return Done.WRITTEN


def is_missing_document(status: Any, error: Any) -> bool:
    """Whether a delete failed only because the document is missing: older servers answer so."""
    return status == 404 and str(error).startswith(_NO_DOCUMENT)


def describe(error: Any) -> str:
    """*error* in one line, without a document's values."""
    return " ".join(_QUOTED.sub("", str(error or "")).split())[:MAX_TEXT]
