"""Compares items with documents."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from local.checker.expectation import Ref
from local.checker.values import differences, item_values, scan

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TableItem = tuple[str, Mapping[str, Any]]
"""The short name of a table and one of its items, see item_values."""


class Reader(Protocol):
    """A server that documents are read from."""

    def all(self, alias: str) -> Iterator[tuple[str, Any]]:
        """Every document behind *alias* with its id."""
        ...


class Expects(Protocol):
    """Says which document an item should have: an Expectation, or a MirrorExpectation."""

    @property
    def aliases(self) -> list[str]: ...

    def of(self, table: str, item: Mapping[str, Any]) -> tuple[Ref, dict[str, Any]] | None: ...


@dataclass(slots=True)
class Report:
    """The result of a comparison: counts, addresses and differing fields, never whole documents."""

    items: int = 0  # items that should have a document
    unplaced: int = 0  # items that should have none
    documents: int = 0
    compared: dict[str, int] = field(default_factory=dict)  # pairs of item and document, by alias
    missing: list[Ref] = field(default_factory=list)
    extra: list[Ref] = field(default_factory=list)
    different: list[tuple[Ref, str]] = field(default_factory=list)

    @property
    def mismatches(self) -> int:
        return len(self.missing) + len(self.extra) + len(self.different)

    @property
    def empty(self) -> list[str]:
        """The aliases without any compared pair."""
        return [alias for alias, pairs in self.compared.items() if pairs == 0]

    @property
    def equal(self) -> bool:
        """True only if something was compared for every alias, and nothing differed."""
        return self.mismatches == 0 and bool(self.compared) and not self.empty


def compare(
    expected: Mapping[Ref, Any], documents: Iterable[tuple[Ref, Any]], aliases: Iterable[str]
) -> Report:
    """Compare *documents* with those in *expected*; a report needs a pair for each of *aliases*."""
    report = Report(items=len(expected), compared=dict.fromkeys(aliases, 0))
    waiting = dict(expected)
    for ref, document in documents:
        report.documents += 1
        if ref not in waiting:  # it has no item, or its id came before
            report.extra.append(ref)
            continue
        report.compared[ref.alias] = report.compared.get(ref.alias, 0) + 1
        if found := "; ".join(differences(waiting.pop(ref), document)):
            report.different.append((ref, found))
    report.missing.extend(waiting)
    return report


def read_tables(dynamodb: "DynamoDBClient", tables: Mapping[str, str]) -> list[TableItem]:
    """Every item of *tables* (short name → full name), by consistent reads."""
    return [
        (short, item_values(item))
        for short, full in tables.items()
        for item in scan(dynamodb, full)
    ]


def check(
    dynamodb: "DynamoDBClient",
    tables: Mapping[str, str],
    documents: Reader,
    expectation: Expects,
) -> Report:
    """Scan *tables* (short name → full name) and compare every item with its document.

    Call it while nobody writes. Raises Unreadable.
    """
    return check_items(read_tables(dynamodb, tables), documents, expectation)


def check_items(items: Iterable[TableItem], documents: Reader, expectation: Expects) -> Report:
    """Compare every one of *items* with its document, and every document with its item."""
    expected: dict[Ref, Any] = {}
    unplaced = 0
    twice: list[tuple[Ref, str]] = []
    for table, item in items:
        pair = expectation.of(table, item)
        if pair is None:
            unplaced += 1
        elif pair[0] in expected:
            twice.append((pair[0], "two items have this document"))
        else:
            expected[pair[0]] = pair[1]
    aliases = expectation.aliases
    found = ((Ref(alias, id_), source) for alias in aliases for id_, source in documents.all(alias))
    report = compare(expected, found, aliases)
    report.items += len(twice)
    report.unplaced = unplaced
    report.different.extend(twice)
    return report
