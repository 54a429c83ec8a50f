"""What OpenSearch's answers mean, told without a server."""

from collections.abc import Mapping
from typing import Any

import pytest

from sync.aws.keys import Source
from sync.errors import Misconfigured, Refused, Retry, Throttled, Unavailable
from sync.sinks.opensearch.advice import advice
from sync.sinks.opensearch.answers import (
    Rejected,
    describe,
    is_missing,
    item_result,
    items_of,
    request_failure,
)
from sync.writing.op import Done, Op

PUT = Op("opensearch", Source("t", {}), "products", "1", b"{}", 1)
DELETE = Op("opensearch", Source("t", {}), "products", "2", None, 1)
TAKEN = {"index": {"_id": "1", "status": 201}}
GONE = {"delete": {"_id": "2", "status": 404, "result": "not_found"}}
GUARD = {"update": {"_id": "-", "status": 404, "error": {"type": "document_missing_exception"}}}


def item(status: int, error_type: str | None = None, reason: str = "") -> dict[str, Any]:
    error = {"type": error_type, "reason": reason}
    return {"_id": "1", "status": status, **({"error": error} if error_type else {})}


@pytest.mark.parametrize(
    ("status", "error_type", "result"),
    [
        (429, "circuit_breaking_exception", Throttled),
        (429, "cluster_block_exception", Throttled),
        (500, "x", Unavailable),
        (503, "unavailable_shards_exception", Unavailable),
        (504, "x", Unavailable),
        (408, "x", Unavailable),
        (409, "another_conflict", Unavailable),
        (302, "x", Unavailable),
        (300, None, Unavailable),
        (401, "security_exception", Misconfigured),
        (403, "cluster_block_exception", Misconfigured),
        (404, "index_not_found_exception", Misconfigured),
        (405, "x", Misconfigured),
        (400, "index_closed_exception", Misconfigured),
        (400, "invalid_index_name_exception", Misconfigured),
        (400, "routing_missing_exception", Misconfigured),
        (400, "mapper_parsing_exception", Refused),
        (400, "strict_dynamic_mapping_exception", Refused),
        (400, "illegal_argument_exception", Refused),
        (400, None, Refused),
        (413, "x", Refused),
    ],
)
@pytest.mark.parametrize("kind", ["index", "delete"])
def test_an_item_s_failure_is_told_by_status_and_type(
    kind: str, status: int, error_type: str | None, result: type
) -> None:
    """Only what is about this one document is refused. The server answers, so it is not down: what
    may pass is about the target alone."""
    told = item_result(kind, item(status, error_type, "because"))
    assert type(told) is result
    assert str(told) == (f"{status} {error_type}: because" if error_type else f"{status} ")
    assert isinstance(told, Refused) or (isinstance(told, Retry) and told.of_target)


@pytest.mark.parametrize(
    ("kind", "told", "result"),
    [
        ("index", item(200), Done.WRITTEN),
        ("index", item(201), Done.WRITTEN),
        ("delete", item(200), Done.WRITTEN),
        ("delete", item(404), Done.WRITTEN),
        ("index", item(409, "version_conflict_engine_exception"), Done.STALE),
        ("delete", item(409, "version_conflict_engine_exception"), Done.STALE),
    ],
)
def test_an_item_that_ended_well(kind: str, told: dict[str, Any], result: Done) -> None:
    """Created, replaced, deleted, not there to delete, or older than what is stored."""
    assert item_result(kind, told) is result


def test_a_put_answered_by_404_is_not_written() -> None:
    """Only a delete may find nothing."""
    assert isinstance(item_result("index", item(404)), Misconfigured)


@pytest.mark.parametrize(
    "reason",
    ["no write index is defined for alias [a].", "pipeline with id [p] does not exist"],
)
def test_an_illegal_argument_may_be_the_index_s(reason: str) -> None:
    """The same type stands for a wrong document and for a wrong alias."""
    told = item_result("index", item(400, "illegal_argument_exception", reason))
    assert isinstance(told, Misconfigured)


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        ({"status": 404, "error": {"type": "index_not_found_exception"}}, True),
        ({"status": 404, "error": {"type": "document_missing_exception"}}, False),
        ({"status": 404, "error": "index_not_found_exception"}, False),
        ({"status": 404, "result": "not_found"}, False),
    ],
)
def test_an_alias_that_is_missing_is_told_from_other_errors(
    held: Mapping[str, Any], missing: bool
) -> None:
    """Such as a document that is not there."""
    assert is_missing(held) is missing


NO_LIST = "the answer has no list of items"
NOT_SECOND = "the answer has no delete of '2' in its place"
OTHER_ID = "the answer has another id in the place of '2'"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, NO_LIST),
        ("", NO_LIST),
        ([], NO_LIST),
        ({}, NO_LIST),
        ({"items": None}, NO_LIST),
        ({"items": {}}, NO_LIST),
        ({"items": []}, "the answer has 0 items for 2 actions"),
        ({"items": [TAKEN]}, "the answer has 1 items for 2 actions"),
        ({"items": [TAKEN, GONE, GONE]}, "the answer has 3 items for 2 actions"),
        ({"items": [GONE, TAKEN]}, "the answer has no index of '1' in its place"),
        ({"items": [TAKEN, TAKEN]}, NOT_SECOND),
        ({"items": [TAKEN, None]}, NOT_SECOND),
        ({"items": [TAKEN, {}]}, NOT_SECOND),
        ({"items": [TAKEN, {"delete": None}]}, NOT_SECOND),
        ({"items": [TAKEN, {"delete": {"_id": "3", "status": 200}}]}, OTHER_ID),
        ({"items": [TAKEN, {"delete": {"status": 200}}]}, OTHER_ID),
        ({"items": [TAKEN, {"delete": {"_id": "2"}}]}, NOT_SECOND),
        ({"items": [TAKEN, {"delete": {"_id": "2", "status": "200"}}]}, NOT_SECOND),
        ({"items": [TAKEN, {"index": {"_id": "2", "status": 200}}]}, NOT_SECOND),
    ],
    ids=repr,
)
def test_an_answer_that_does_not_match_the_request_tells_nothing(answer: Any, why: str) -> None:
    """Wrong count, order, ids, actions or shape: nothing is taken for written."""
    with pytest.raises(Unavailable) as caught:
        items_of(answer, [("index", "1"), ("delete", "2")])
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, Misconfigured),
        (400, Rejected),
        (401, Misconfigured),
        (403, Rejected),
        (404, Misconfigured),
        (406, Rejected),
        (408, Unavailable),
        (413, Rejected),
        (429, Throttled),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_a_request_s_failure_is_told_by_its_status(status: int, kind: type) -> None:
    """And the text names the status."""
    failure = request_failure(status, {"type": "a", "reason": "b"})
    assert type(failure) is kind
    assert str(failure) == f"{status} a: b"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            {
                "type": "mapper_parsing_exception",
                "reason": "failed to parse field [a] of type [double] in document with id '1'. "
                "Preview of field's value: 'secret\nsecret'",
                "caused_by": {
                    "type": "number_format_exception",
                    "reason": 'For input string: "secret"',
                },
            },
            "mapper_parsing_exception: failed to parse field [a] of type [double] in document "
            "with id '1'. < number_format_exception",
        ),
        (
            {
                "type": "illegal_argument_exception",
                "reason": "immense term in field.  The prefix of the first immense term is: "
                "'[115, 101]...', original message: secret",
            },
            "illegal_argument_exception: immense term in field.",
        ),
        ({"type": "a"}, "a"),
        ({}, "None"),
        ("<html>\n  busy\n</html>", "<html> busy </html>"),
        (None, ""),
        ("x" * 5_000, "x" * 400),
        ({"type": "a", "reason": "x" * 5_000}, "a: " + "x" * 400),
    ],
)
def test_an_error_is_told_in_one_short_line_without_values(error: Any, text: str) -> None:
    """Type, reason and the types of its causes; never what stood in the document."""
    assert describe(error) == text


def test_all_causes_are_told() -> None:
    """The last one is often the one that helps."""
    last = {"type": "c", "caused_by": None}
    error = {"type": "a", "caused_by": {"type": "b", "caused_by": last}}
    assert describe(error) == "a < b < c"


def test_endless_causes_end() -> None:
    """However deep a server nests its causes: no more once 800 characters are reached."""
    error: dict[str, Any] = {"type": "timeouts"}
    error["caused_by"] = error
    assert describe(error) == "timeouts" + " < timeouts" * 72
    assert len(describe(error)) == 800


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (["failed to parse field [a\nb] of type [double] in document"], "correct the item, or"),
        (
            ["tried to parse field [x] as object, but found a concrete value"],
            "item",
        ),
        (["can't merge a non object mapping [a] with an object mapping"], "correct the item, or"),
        (["mapper [a] cannot be changed from type [double] to [text]"], "correct the item, or"),
        (["Existing mapping for [a] must be of type object but found [text]."], "correct the item"),
        (["failed to parse", "field name cannot be an empty string"], "rename the attribute"),
        (["x", "field name cannot contain only the character [.]"], "rename the attribute"),
        (["x", "y", "object field starting or ending with a [.] makes"], "rename the attribute"),
        (["object field cannot contain only whitespace: ['m. ']"], "rename the attribute"),
        (["Limit of total fields [5000] has been exceeded"], "and replay"),
    ],
)
def test_a_refusal_advises(reasons: list[str], told: str) -> None:
    """By the reason of the error or of any of its causes."""
    error: dict[str, Any] = {}
    for reason in reversed(reasons):
        error = {"type": "x", "reason": reason, **({"caused_by": error} if error else {})}
    refused = item_result("index", {"_id": "1", "status": 400, "error": error})
    assert isinstance(refused, Refused)
    text, _, what = str(refused).partition("; ")
    assert text == f"400 {describe(error)}"
    assert told in what
    assert advice(error) == what


@pytest.mark.parametrize(
    "error", [None, "text", {"reason": None}, {"type": "x", "reason": "failed to parse"}]
)
def test_where_nothing_is_known_nothing_is_advised(error: Any) -> None:
    """The error stands alone."""
    assert advice(error) == ""
    assert str(item_result("index", {"_id": "1", "status": 400, "error": error})) == (
        f"400 {describe(error)}"
    )
