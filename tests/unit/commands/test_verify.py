"""The verify command, and `python -m sync verify`: what differs is told, and repaired."""

import json
import random
from typing import Any

import pytest

from sync.cli.main import main
from sync.commands import run
from sync.commands.parts.differences import NO_KEY
from sync.errors import ConfigError, Misconfigured, NotGiven, Retry, Unavailable
from sync.runtime.deadline import Deadline
from tests.doubles.account import Account
from tests.doubles.logged import logged
from tests.doubles.sinks import Failing
from tests.doubles.trouble import SOUND, one_letter
from tests.records import CORE, PRODUCTS, core_keys

AIRCRAFT = core_keys("ICAO#AIRCRAFT", "TYPE#C172#CESSNA#172")
AIRCRAFT_ID = "ICAO%23AIRCRAFT|TYPE%23C172%23CESSNA%23172"
NAMES = {name: {"S": "x"} for name in ("type_designator", "manufacturer", "model")}


def synced(account: Account, *ids: str) -> None:
    """Products, and their documents."""
    for id_ in ids:
        account.put(id_, **SOUND)
    account.call("resync", table=PRODUCTS)
    account.clock.now += 60


def products(account: Account, **payload: Any) -> dict[str, Any]:
    return account.call("verify", table=PRODUCTS, **payload)


def found(answer: Any) -> dict[str, tuple[str, list[str], bool]]:
    return {d["id"]: (d["kind"], d["fields"], d["repaired"]) for d in answer["differences"]}


def metrics(account: Account) -> list[Any]:
    """What CloudWatch is told of verified sinks."""
    return [line for line in map(json.loads, account.metrics) if "verified" in line]


def hold(account: Account, id_: str, body: str) -> None:
    """A hand from outside."""
    account.memory.documents["products", id_] = body.encode()


def test_what_is_in_step_is_told_so(account: Account) -> None:
    """Every item and every document was looked at, and nothing waited for."""
    synced(account, "a", "b")
    before = len(account.clock.slept)
    assert products(account) == {
        "checked": {"items": 2, "documents": 2},
        "missing": 0,
        "extra": 0,
        "different": 0,
        "repaired": 0,
        "busy": 0,
        "invalid": 0,
        "untraced": 0,
        "not_compared": {
            "counters": "run: recount",
            "default_image": "run: resync --sink default_image, which reconciles every entity",
        },
        "unread": [],
        "differences": [],
        "cursor": None,
    }
    assert len(account.clock.slept) == before


def test_each_kind_of_difference_is_told(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """In the answer, the log and the metrics; values in none of them."""
    synced(account, "gone", "same", "wrong")
    del account.memory.documents["products", "gone"]
    hold(account, "wrong", '{"productId":"wrong","name":"s3cret","price":5}')
    hold(account, "foreign", '{"productId":"foreign"}')
    account.metrics.clear()
    caplog.clear()
    answer = products(account)
    assert found(answer) == {
        "gone": ("missing", [], False),
        "wrong": ("different", ["name"], False),
        "foreign": ("extra", [], False),
    }
    assert (answer["missing"], answer["extra"], answer["different"]) == (1, 1, 1)
    assert answer["checked"] == {"items": 3, "documents": 3}
    (wrong,) = (each for each in answer["differences"] if each["id"] == "wrong")
    assert wrong == {
        "sink": "opensearch",
        "target": "products",
        "id": "wrong",
        "table": PRODUCTS,
        "keys": {"productId": {"S": "wrong"}},
        "kind": "different",
        "fields": ["name"],
        "letter": None,
        "repaired": False,
        "error": None,
    }
    lines = [line for line in logged(caplog) if line[1] == "a document differs from its item"]
    assert [(level, told["id"]) for level, _, told in lines] == [
        ("WARNING", "gone"),
        ("WARNING", "wrong"),
        ("WARNING", "foreign"),
    ]
    assert "s3cret" not in json.dumps(answer) + caplog.text
    (line,) = metrics(account)
    assert (line["sink"], line["differences"], line["verified"]) == ("opensearch", 3, 6)


def test_a_repair_leaves_nothing_that_differs(account: Account) -> None:
    """Neither what was missing, nor what was wrong, nor what no item asks for."""
    synced(account, "gone", "wrong")
    del account.memory.documents["products", "gone"]
    hold(account, "wrong", "{}")
    hold(account, "foreign", "{}")
    account.metrics.clear()
    answer = products(account, repair=True)
    assert answer["repaired"] == 3
    assert all(each["repaired"] and each["error"] is None for each in answer["differences"])
    (line,) = metrics(account)
    assert "differences" not in line  # none is left
    account.clock.now += 60
    after = products(account)
    assert (after["differences"], after["checked"]) == ([], {"items": 2, "documents": 2})
    assert account.document("foreign") is None


def test_a_document_without_a_key_is_left_to_a_person(account: Account) -> None:
    """Nothing says that it is ours; deleting it is no repair."""
    account.memory.documents["icao_aircraft", "not one of ours"] = b"{}"
    answer = account.call("verify", table=CORE, sink="opensearch", repair=True)
    (row,) = answer["differences"]
    assert (row["kind"], row["table"], row["keys"]) == ("extra", None, None)
    assert (row["repaired"], row["error"]) == (False, NO_KEY)
    assert ("icao_aircraft", "not one of ours") in account.memory.documents


def test_a_repair_that_fails_is_told_and_parked(account: Account) -> None:
    """The sink does not take it now; nothing is lost."""
    synced(account, "gone")
    sink = Failing(Unavailable("503"))
    account.memory = sink
    account.service = account.fresh()
    (row,) = products(account, repair=True)["differences"]
    assert (row["kind"], row["repaired"]) == ("missing", False)
    assert row["error"] == "parked, and tried again by itself: Unavailable: 503"
    (message,) = account.parked
    assert [key.source.keys for key in message.keys] == [{"productId": {"S": "gone"}}]


def test_a_dead_letter_explains_a_difference(account: Account) -> None:
    """The answer names it, as long as it is open."""
    id_ = one_letter(account)
    account.put("p", **SOUND)
    assert [each["letter"] for each in products(account)["differences"]] == [id_]
    account.call("dlq discard", ids=[id_], reason="seen")
    assert [each["letter"] for each in products(account)["differences"]] == [None]


def test_an_item_that_its_model_refuses_is_counted(account: Account) -> None:
    """No one knows what the sink should hold of it: it is neither missing nor extra."""
    account.put("p", name={"S": "and no price"})
    hold(account, "p", "{}")
    answer = products(account)
    assert (answer["invalid"], answer["differences"]) == (2, [])  # from both sides


def test_pages_join(account: Account) -> None:
    """Each item and document once, however small the pages."""
    synced(account, *"abcde")
    del account.memory.documents["products", "a"]
    hold(account, "z", "{}")
    cursor, checked = None, 0
    seen: dict[str, Any] = {}
    for _ in range(30):
        answer = products(account, limit=2, cursor=cursor)
        assert sum(answer["checked"].values()) <= 2
        checked += sum(answer["checked"].values())
        seen |= found(answer)
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert (checked, sorted(seen)) == (10, ["a", "z"])


def test_a_call_short_of_time_ends_with_a_cursor(account: Account) -> None:
    """It looks at something at least, and the next call goes on there."""
    synced(account, "a")
    deadline = Deadline(60, clock=account.clock.monotonic, sleep=account.clock.sleep)
    answer = run({"command": "verify"}, account.service, deadline)
    assert answer["cursor"] == "[1,null]"
    rest = account.call("verify", cursor=answer["cursor"])
    assert rest["cursor"] is None


@pytest.mark.parametrize(
    "cursor", ["x", "[99,null]", "[-1,null]", "[true,null]", '[0,{"x":{"S":"a"}}]', "[0,1]", "7"]
)
def test_a_cursor_of_something_else_is_refused(cursor: str, account: Account) -> None:
    """Before anything is read."""
    with pytest.raises(ConfigError, match="no cursor of an earlier answer"):
        products(account, cursor=cursor)


def test_what_can_not_be_compared_is_refused_by_name(account: Account) -> None:
    """With what to run instead; as are unknown sinks and tables."""
    with pytest.raises(ConfigError, match="counters can't be compared; run: recount"):
        account.call("verify", sink="counters")
    with pytest.raises(ConfigError, match="no model feeds the sink 'x'"):
        account.call("verify", sink="x")
    with pytest.raises(ConfigError, match="no model is of the table 'x'"):
        account.call("verify", table="x")
    with pytest.raises(ConfigError, match="no model feeds a sink that can be compared"):
        account.call("verify", table=PRODUCTS, sink="typesense")


def test_one_sink_can_be_asked_for(account: Account) -> None:
    """Then the others are neither read nor mentioned."""
    account.dynamodb.put_item(TableName=CORE, Item={**AIRCRAFT, **NAMES})
    answer = account.call("verify", table=CORE, sink="typesense")
    assert [(d["sink"], d["id"]) for d in answer["differences"]] == [("typesense", AIRCRAFT_ID)]
    assert answer["not_compared"] == {}


def test_a_sink_without_its_key_is_not_compared(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that is not set up yet has no differences in that sink; the others are compared."""

    def not_given(*_: Any) -> Any:
        raise NotGiven("the secret holds no API key")

    for name in ("compare", "sample"):
        monkeypatch.setattr(account.typesense, name, not_given)
    account.dynamodb.put_item(TableName=CORE, Item={**AIRCRAFT, **NAMES})
    for answer in (account.call("verify", table=CORE), account.call("verify", sample=5)):
        assert answer["not_compared"]["typesense"] == "the secret holds no API key"
        assert answer["unread"] == []
        assert [d["sink"] for d in answer["differences"]] == ["opensearch"]


def broken(account: Account, monkeypatch: pytest.MonkeyPatch, error: Retry) -> list[str]:
    """OpenSearch answers every reading with *error*. Returns which method is called, each time."""
    calls: list[str] = []

    def break_(name: str) -> None:
        def fails(*_: Any) -> Any:
            calls.append(name)
            raise error

        monkeypatch.setattr(account.memory, name, fails)

    for name in ("compare", "ids", "sample"):
        break_(name)
    return calls


@pytest.mark.parametrize("payload", [{}, {"sample": 5}])
def test_a_sink_that_is_down_does_not_stop_the_others(
    payload: dict[str, Any],
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What differs in others is told. That it is down is told, too, logged and counted: an alarm
    looks at it. It is asked once in a call, since each try may take minutes."""
    account.dynamodb.put_item(TableName=CORE, Item={**AIRCRAFT, **NAMES})
    synced(account, "a")
    account.typesense.documents["icao_aircraft", "no key"] = b"{}"
    calls = broken(account, monkeypatch, Unavailable("503"))
    account.metrics.clear()
    caplog.clear()
    answer = account.call("verify", **payload)
    assert {(d["sink"], d["id"]) for d in answer["differences"]} == {
        ("typesense", AIRCRAFT_ID),
        ("typesense", "no key"),
    }
    assert answer["not_compared"]["opensearch"] == "503"
    assert (answer["unread"], answer["cursor"]) == (["opensearch"], None)
    assert calls == ["compare"]
    lines = [told for _, text, told in logged(caplog) if text == "verify can't read a sink"]
    assert [(told["sink"], told["error"]) for told in lines] == [("opensearch", "503")]
    (line,) = (line for line in map(json.loads, account.metrics) if "unread" in line)
    assert (line["unread"], "sink" in line) == (1, False)


def test_a_target_that_is_missing_does_not_stop_the_other_targets(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is asked; the error is that of the last."""
    account.dynamodb.put_item(TableName=CORE, Item={**AIRCRAFT, **NAMES})
    calls = broken(account, monkeypatch, Misconfigured("no such index", of_target=True))
    answer = account.call("verify", table=CORE)
    assert (answer["unread"], answer["cursor"]) == (["opensearch"], None)
    assert calls[0] == "compare"
    assert set(calls[1:]) == {"ids"}
    assert len(calls) > 2


def test_a_sink_that_is_asked_for_by_name_has_to_be_read(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is an error; unless it waits for a person, as in the stage that is new."""
    synced(account, "a")
    calls = broken(account, monkeypatch, Misconfigured("no such index [products]"))
    with pytest.raises(Misconfigured, match="products"):
        account.call("verify", sink="opensearch")
    assert account.call("verify", sink="typesense")["unread"] == []
    assert calls == ["compare"]
    broken(account, monkeypatch, NotGiven("no API key"))
    answer = account.call("verify", sink="opensearch")
    assert (answer["not_compared"], answer["unread"]) == ({"opensearch": "no API key"}, [])


def test_a_sample_is_no_larger_than_asked_for(account: Account) -> None:
    """Of each table and of each target."""
    synced(account, *(f"{n}" for n in range(50)))
    answer = products(account, sample=10)
    assert answer["checked"] == {"items": 10, "documents": 10}
    assert answer["cursor"] is None
    answer = products(account, sample=1_000_000)
    assert answer["checked"] == {"items": 50, "documents": 50}


def test_samples_find_in_time_what_differs(account: Account) -> None:
    """Others are looked at each time: from the table, and from the sink."""
    synced(account, *(f"{n}" for n in range(50)))
    del account.memory.documents["products", "7"]
    hold(account, "foreign", "{}")
    random.seed(1)
    seen: dict[str, Any] = {}
    for _ in range(60):
        seen |= found(products(account, sample=10))
    assert sorted(seen) == ["7", "foreign"]


def test_a_sample_is_not_ended_by_the_limit_of_a_page(account: Account) -> None:
    """A schedule calls it once: nobody goes on from a cursor."""
    synced(account, *(f"{n}" for n in range(20)))
    answer = account.call("verify", sample=15, limit=1)
    assert (answer["checked"]["items"], answer["cursor"]) == (15, None)


# ── For people ────────────────────────────────────────────────────────────────────────────────────


def cli(account: Account, *options: str) -> int:
    def call(payload: Any) -> dict[str, Any]:
        return account.call(
            payload["command"], **{k: v for k, v in payload.items() if k != "command"}
        )

    return main(["verify", *options], call)


def test_people_are_told_what_differs(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1 as long as something differs."""
    synced(account, "a", "b")
    assert cli(account) == 0
    out = capsys.readouterr().out
    assert "2 items and 2 documents compared" in out
    assert "no difference is left" in out
    assert "not compared: counters (run: recount)" in out
    del account.memory.documents["products", "a"]
    hold(account, "b", "{}")
    assert cli(account, "--table", PRODUCTS) == 1
    out = capsys.readouterr().out
    assert "2 differ: 1 missing, 1 different" in out
    assert f"{PRODUCTS}(productId=a)" in out
    assert "name, price, productId" in out
    assert cli(account, "--table", PRODUCTS, "--repair") == 0
    assert "2 repaired" in capsys.readouterr().out
    account.clock.now += 60
    assert cli(account) == 0


def test_programs_get_one_line_of_json(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """All pages in one."""
    synced(account, "a", "b")
    del account.memory.documents["products", "a"]
    assert cli(account, "--table", PRODUCTS, "--json", "--limit", "2") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["cursor"] is not None
    assert answer["missing"] == 1
    assert cli(account, "--table", PRODUCTS, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["cursor"], answer["checked"]) == (None, {"items": 2, "documents": 1})


def test_people_are_told_what_was_not_judged(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """None of it is a difference, and none of it is hidden."""
    account.put("p", name={"S": "and no price"})
    account.typesense.documents["aircraft_images", "f" * 64] = b"{}"
    assert cli(account) == 0
    out = capsys.readouterr().out
    assert "1 items are invalid" in out
    assert "1 documents can't be traced to a key" in out


def test_people_are_told_which_sink_could_not_be_read(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 1, though nothing differs; a sink that only lacks its key leaves it at 0."""
    synced(account, "a")
    broken(account, monkeypatch, Unavailable("503"))
    assert cli(account) == 1
    out = capsys.readouterr().out
    assert "no difference is left" in out
    assert "can't be read: opensearch (503)" in out
    assert "not compared: counters" in out
    assert cli(account, "--json") == 1
    assert json.loads(capsys.readouterr().out)["unread"] == ["opensearch"]
    broken(account, monkeypatch, NotGiven("no API key"))
    assert cli(account) == 0
    assert "not compared: opensearch (no API key)" in capsys.readouterr().out
