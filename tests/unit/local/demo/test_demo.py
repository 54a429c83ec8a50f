"""The demo's own parts: it waits for the right thing, reads letters whole, and prints plainly."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import boto3
import pytest
from rich.console import Console

from local.checker import Documents, Expectation, Ref, scan
from local.demo import poison, settle, tables
from local.demo.figures import Failed
from local.demo.letters import Desk, Letter
from local.demo.screen import Screen
from local.demo.tables import Tables, image_of, key_of
from tests.doubles.in_process import mock_aws
from tests.tables import create_table

ONE, TWO = Ref("products", "one"), Ref("products", "two")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """The two tables, empty, in an AWS of this process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        for short, names in tables.KEYS.items():
            create_table(dynamodb, f"t-{short}", *names)
        names_of = {short: f"t-{short}" for short in tables.KEYS}
        yield Tables(dynamodb, names_of, Expectation())


def plain_screen() -> tuple[Screen, io.StringIO]:
    """A screen that is no terminal, and what it wrote."""
    file = io.StringIO()
    return Screen(Console(file=file, force_terminal=False, width=80)), file


def test_writes_say_what_search_should_show(written: Tables) -> None:
    """Put, update and delete give the document to be found: whole, changed, none."""
    product = {"productId": "a/b", "name": "A", "price": Decimal("1.10"), "shelf": 3}
    ref = Ref("products", "a%2Fb")
    assert written.put(product) == (
        ref,
        {"productId": "a/b", "name": "A", "price": Decimal("1.10")},
    )
    assert written.update(product, {"name": "B"}) == (
        ref,
        {"productId": "a/b", "name": "B", "price": Decimal("1.10")},
    )
    assert written.delete(product) == (ref, None)


def test_items_of_both_tables_are_loaded_and_cleared(written: Tables) -> None:
    """More than one batch; progress ends at the total."""
    items: list[dict[str, Any]] = [{"productId": f"p{n}"} for n in range(60)]
    items += [{"PK": "ICAO#AIRCRAFT", "SK": f"TYPE#{n}"} for n in range(60)]
    done: list[int] = []
    written.put_all(items, done.append)
    assert max(done) == 120
    assert [len(list(scan(written.dynamodb, f"t-{t}"))) for t in tables.KEYS] == [60, 60]
    assert written.clear() == 120
    assert written.clear() == 0


def test_what_the_service_writes_is_not_cleared_by_hand(written: Tables) -> None:
    """A counter deleted beside its links would be drift that nobody made."""
    derived = [
        {"PK": "ICAO#MATCHER", "SK": "TYPE#A#B#C"},
        {"PK": "IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#B744", "SK": "DEFAULT"},
        {"PK": "DEFAULT_IMAGES#ORG#SYSTEM#ENTITY#ICAO", "SK": "ID#B744"},
    ]
    image = {"PK": "IMAGES#ORG#SYSTEM#ENTITY#ICAO#ID#B744", "SK": "IMG#1"}
    written.put_all([*derived, image], lambda _: None)
    assert written.clear() == 1
    assert written.get(image) == {}
    left = sorted(item["PK"] for _, item in written.values())
    assert left == sorted(item["PK"] for item in derived)


class Hesitant:
    """A DynamoDB that takes one request of each batch and gives the others back."""

    def __init__(self, *, takes: bool) -> None:
        self.taken: list[Any] = []
        self._takes = takes

    def batch_write_item(self, RequestItems: Mapping[str, list[Any]]) -> Any:  # noqa: N803
        left = {table: list(requests) for table, requests in RequestItems.items()}
        table = next(iter(left))
        if self._takes:
            self.taken.append(left[table].pop())
        return {"UnprocessedItems": {table: some for table, some in left.items() if some}}


def test_unprocessed_items_are_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """BatchWriteItem may take a part and still answer 200."""
    monkeypatch.setattr(tables, "_PAUSE_S", 0.0)
    dynamodb = Hesitant(takes=True)
    some = Tables(cast(Any, dynamodb), {"products": "t", "core": "c"}, Expectation())
    some.put_all([{"productId": str(n)} for n in range(5)], lambda _: None)
    assert len(dynamodb.taken) == 5


def test_items_never_processed_are_a_failure_that_names_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is dropped quietly here either."""
    monkeypatch.setattr(tables, "_PAUSE_S", 0.0)
    some = Tables(cast(Any, Hesitant(takes=False)), {"products": "t-products"}, Expectation())
    with pytest.raises(Failed, match=r"t-products: 5"):
        some.put_all([{"productId": str(n)} for n in range(5)], lambda _: None)


class Slow(Documents):
    """Documents that change with each look; the last state stays."""

    def __init__(self, *states: dict[Ref, Any]) -> None:
        super().__init__("http://slow")
        self._states = list(states)

    def get(self, refs: Iterable[Ref]) -> dict[Ref, Any]:
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {ref: state[ref] for ref in refs if ref in state}

    def count(self, alias: str) -> int:
        return sum(ref.alias == alias for ref in self.get([ONE, TWO]))


def test_waiting_ends_when_every_document_is_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change must show and a delete must be gone; progress counts both."""
    monkeypatch.setattr(settle, "_PAUSE_S", 0.0)
    documents = Slow(
        {ONE: {"price": Decimal(1)}, TWO: {}},
        {ONE: {"price": Decimal(2)}, TWO: {}},
        {ONE: {"price": Decimal(2)}},
    )
    done: list[int] = []
    wanted = [(ONE, {"price": Decimal(2)}), (TWO, None)]
    settle.until_documents(documents, wanted, done.append, quiet_s=60)
    assert done == [0, 1, 2]


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ({}, "products/one: missing"),
        ({ONE: {"price": Decimal(1)}}, "products/one: price: 2 in the table, 1 in the document"),
    ],
)
def test_waiting_in_vain_names_what_is_missing(
    state: dict[Ref, Any], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is where a user starts to look."""
    monkeypatch.setattr(settle, "_PAUSE_S", 0.0)
    with pytest.raises(Failed, match=named):
        settle.until_documents(Slow(state), [(ONE, {"price": Decimal(2)})], quiet_s=0)


def test_counts_in_vain_name_the_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as expected, neither fewer nor more."""
    monkeypatch.setattr(settle, "_PAUSE_S", 0.0)
    with pytest.raises(Failed, match="products holds 1 of 2 documents"):
        settle.until_counts(Slow({ONE: {}}), {"products": 2}, quiet_s=0)
    settle.until_counts(Slow({ONE: {}, TWO: {}}, {ONE: {}}), {"products": 1}, quiet_s=60)


class Admin:
    """An admin function: its letters come one by one, its queues run empty call by call."""

    def __init__(self, *letters: Mapping[str, Any], parked: int = 0, queued: int = 0) -> None:
        self.letters = {letter["row"]["id"]: letter for letter in letters}
        self.parked = parked
        self.queued = queued
        self.listed = 0
        self.discarded: list[str] = []

    def __call__(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        match payload["command"]:
            case "dlq list":
                self.listed += 1
                return {"rows": [x["row"] for x in list(self.letters.values())[: self.listed]]}
            case "dlq show":
                return self.letters[payload["id"]]
            case "dlq discard":
                self.discarded += payload["ids"]
                return {}
            case "dlq replay":
                return {"counts": {"replayed": len(self.letters)}}
        answer = {
            "parked": {"waiting": self.parked, "delayed": 0, "in_flight": 0, "oldest_s": None},
            "dead_letters": {"queued": self.queued},
        }
        self.parked, self.queued = max(0, self.parked - 1), max(0, self.queued - 1)
        return answer


SMALL = {"row": {"id": "a", "keys": {"PK": {"S": "x"}}}, "body": {"eventID": "small"}}
LARGE = {"row": {"id": "b", "payload": {"bucket": "b"}}, "body": {"eventID": "large"}}


@pytest.fixture
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.demo.letters._PAUSE_S", 0.0)


@pytest.mark.usefixtures("_hurried")
def test_letters_are_awaited_and_read_whole_wherever_their_record_is() -> None:
    """From the table and from S3."""
    letters = Desk(Admin(SMALL, LARGE)).open(2, limit_s=60)
    assert [(one.record, one.stored, one.about) for one in letters] == [
        ({"eventID": "small"}, "table", "x"),
        ({"eventID": "large"}, "S3", "(no keys)"),
    ]


def test_waiting_for_letters_ends() -> None:
    """Fewer than expected are returned once the time is over."""
    assert Desk(Admin()).open(1, limit_s=0) == []


def test_letters_of_an_earlier_run_are_discarded() -> None:
    """So that they are not counted as this run's."""
    admin = Admin(SMALL)
    Desk(admin).clear("of an earlier run")
    assert admin.discarded == ["a"]


@pytest.mark.usefixtures("_hurried")
def test_quiet_is_when_nothing_is_parked_or_on_its_way() -> None:
    """What is parked for ever is told, not waited for."""
    admin = Admin(parked=3, queued=5)
    assert Desk(admin).quiet(limit_s=60) == 0
    assert (admin.parked, admin.queued) == (0, 0)
    assert Desk(Admin(parked=2)).quiet(limit_s=0) == 2
    with pytest.raises(Failed, match="dead letters still wait"):
        Desk(Admin(queued=9)).quiet(limit_s=0)


def letter_of(item: Mapping[str, Any], **changes: Any) -> Letter:
    """The letter that *item* should make."""
    image = image_of(item)
    row = {
        "keys": key_of(image),
        "error_class": "InvalidImage",
        "error": "bad",
        "trace": "Traceback",
    }
    return Letter({**row, **changes}, {"dynamodb": {"NewImage": image}}, "table")


def test_a_whole_letter_has_no_fault() -> None:
    """Each kind of poison, as it should arrive."""
    for one in poison.poisons():
        assert poison._faults(one, [letter_of(one.item)]) == []


def test_a_letter_that_is_not_whole_is_a_fault() -> None:
    """Missing, doubled, cut short, or without its trace."""
    one = poison.poisons()[0]
    whole = letter_of(one.item)
    cut = replace(whole, record={"dynamodb": {"Keys": {}}})
    bare = letter_of(one.item, trace=None)
    for letters, fault in [
        ([], "0 letters"),
        ([whole, whole], "2 letters"),
        ([cut], "whole record"),
        ([replace(whole, record=None)], "whole record"),
        ([bare], "no trace"),
    ]:
        (found,) = poison._faults(one, letters)
        assert fault in found


def test_poison_is_distinct_and_one_is_too_large_for_a_message() -> None:
    """Each record has a key of its own, and one needs the bucket."""
    images = [image_of(one.item) for one in poison.poisons()]
    assert len({json.dumps(key_of(image)) for image in images}) == len(images)
    assert sum(len(json.dumps(image)) > 256 * 1024 for image in images) == 1


def test_without_a_terminal_lines_are_plain() -> None:
    """No colour, no cursor movement, no padding; brackets in data are no markup."""
    screen, file = plain_screen()
    screen.step("A step")
    screen.good("fine")
    screen.bad("[red]not fine[/red]")
    screen.table(["name", "count"], [("[b]", 1_000), ("c", 20)])
    with screen.progress("loaded", 8) as advance:
        for done in range(9):
            advance(done)
    text = file.getvalue()
    assert "\x1b" not in text
    assert "1  A step" in text
    assert "[red]not fine[/red]" in text
    assert "[b]" in text
    assert "1,000" in text
    assert [x.strip() for x in text.splitlines() if "loaded" in x] == [
        f"loaded: {n} of 8" for n in (2, 4, 6, 8)
    ]
    assert all(line == line.rstrip() for line in text.splitlines())
