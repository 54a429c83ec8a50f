"""What Typesense's answers mean."""

from typing import Any

import pytest

from sync.errors import Misconfigured, Refused, Retry, Throttled, Unanswered, Unavailable
from sync.sinks.typesense.answers import (
    Busy,
    Forbidden,
    TooLarge,
    document_failure,
    is_missing_document,
    read_delete,
    read_import,
    request_failure,
)
from sync.writing.op import Done
from tests.unit.sinks.typesense.test_documents import op


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        (400, "Field `n` must be a float.", Refused),
        (400, "Document's `id` field should be a string.", Refused),
        (404, "Field `a.b` not found.", Refused),
        (413, "too large", Refused),
        (401, "Forbidden", Misconfigured),
        (429, "Rate limit exceeded or blocked", Throttled),
        (422, "Rejecting write: running out of resource type: OUT_OF_DISK", Throttled),
        (500, "Could not write to on-disk storage.", Unavailable),
        (503, "Not Ready or Lagging", Unavailable),
        (409, "A document with id 1 already exists.", Unavailable),
        (None, None, Unavailable),
        ("400", "", Unavailable),
        (200, "", Unavailable),
        (399, "", Unavailable),
        (499, "no", Refused),
        (403, "Forbidden", Misconfigured),
        (408, "Request Timeout", Unavailable),
    ],
)
def test_a_line_s_failure_says_whose_it_is(code: Any, error: Any, kind: type[Exception]) -> None:
    """Only what speaks of the document refuses it. The server answers, so what may pass is about
    its collection alone; but a limit is the whole server's."""
    told = document_failure(code, error)
    assert type(told) is kind
    assert str(told) == f"{code} {error or ''}"
    if isinstance(told, Retry):
        assert told.of_target is (kind is not Throttled)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, "Forbidden - a valid `x-typesense-api-key` header must be sent.", Misconfigured),
        (403, "", Forbidden),
        (404, "Collection not found", Misconfigured),
        (400, "Parameter `action` must be a create|update|upsert.", Misconfigured),
        (302, "", Misconfigured),
        (300, "", Misconfigured),
        (299, "", Unanswered),
        (499, "", Misconfigured),
        (413, "", TooLarge),
        (422, "Rejecting write: running out of resource type: OUT_OF_MEMORY", Busy),
        (429, "Rate limit exceeded or blocked", Busy),
        (503, "Not Ready or Lagging", Busy),
        (408, "", Unanswered),
        (500, "", Unanswered),
        (504, None, Unanswered),
        (None, "All nodes are unhealthy", Unanswered),
    ],
)
def test_a_request_s_failure_is_never_a_document_s(
    status: Any, error: Any, kind: type[Exception]
) -> None:
    """And whether it may yet take effect is told apart. Only a collection that is missing leaves
    others alone."""
    failure = request_failure(status, error)
    assert type(failure) is kind
    assert str(failure) == f"{status} {error or ''}"
    if not isinstance(failure, TooLarge):
        assert failure.of_target is (status == 404)


def test_an_import_is_read_line_by_line() -> None:
    """In the order of the documents."""
    lines = '{"success":true,"id":"1"}\n{"success":false,"code":400,"error":"no"}\n{"success":true}'
    results = read_import(lines, [op(b"{}", "1"), op(b"{}", "2"), op(b"{}", "3")])
    assert [results[0], results[2]] == [Done.WRITTEN] * 2
    assert isinstance(results[1], Refused)


@pytest.mark.parametrize("own", ["", '"id":"1",'], ids=["0.24", "30"])
def test_a_failed_line_is_read_without_the_document_in_it(own: str) -> None:
    """Newer servers give its id too; all of them the document, which has no place in a log."""
    line = f'{{"code":400,"document":"{{\\"t\\":\\"secret\\"}}","error":"no",{own}"success":false}}'
    (result,) = read_import(line, [op(b"{}", "1")])
    assert isinstance(result, Refused)
    assert str(result) == "400 no"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "a line of the answer is not JSON"),
        ('{"success":true}\n{"success":true}', "the answer has 2 lines for 1 documents"),
        ("{}", "a line of the answer does not say whether its document was written"),
        ("[true]", "a line of the answer does not say whether its document was written"),
        (
            '{"success":"yes"}',
            "a line of the answer does not say whether its document was written",
        ),
        ('{"success":tr', "a line of the answer is not JSON"),
        (
            '{"success":true,"id":"2"}',
            "a line of the answer has another id in the place of '1'",
        ),
    ],
)
def test_an_answer_about_something_else_tells_nothing(answer: str, why: str) -> None:
    """Too few lines, too many, or other ones."""
    with pytest.raises(Unanswered) as caught:
        read_import(answer, [op(b"{}")])
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "the answer to a delete is not an object"),
        ([], "the answer to a delete is not an object"),
        ({}, "the answer is not about the delete of '1'"),
        ({"id": "2"}, "the answer is not about the delete of '1'"),
        ({"message": "welcome"}, "the answer is not about the delete of '1'"),
        ({"num_deleted": "1"}, "the answer is not about the delete of '1'"),
    ],
)
def test_a_delete_has_to_be_confirmed(answer: Any, why: str) -> None:
    """By the document's id, or a count."""
    with pytest.raises(Unanswered) as caught:
        read_delete(answer, op(None))
    assert str(caught.value) == why
    assert read_delete({"id": "1"}, op(None)) is Done.WRITTEN
    assert read_delete({"num_deleted": 0}, op(None)) is Done.WRITTEN


def test_an_error_does_not_quote_the_document() -> None:
    """The parser's own messages do."""
    failure = document_failure(400, "Bad JSON: [101] syntax error; last read: '\"secret'")
    assert str(failure) == "400 Bad JSON: [101] syntax error"
    assert str(document_failure(400, "x" * 5_000)) == "400 " + "x" * 400
    assert str(document_failure(400, "bad\n  lines,\nlast read: \nsecret\n")) == "400 bad lines"
    assert str(document_failure(400, None)) == "400 "


@pytest.mark.parametrize(
    ("status", "error", "missing"),
    [
        (404, "Could not find a document with id: 1", True),
        (404, "Not Found", False),
        (400, "Could not find a document with id: 1", False),
        (404, None, False),
    ],
)
def test_a_document_that_is_gone_is_told_from_its_collection(
    status: int, error: Any, missing: bool
) -> None:
    """Older servers answer 404 to both."""
    assert is_missing_document(status, error) is missing
