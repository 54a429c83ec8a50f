"""The recount command, and `python -m sync recount`: told and mended, page by page."""

import json
from typing import Any

import pytest

from sync.cli.main import main
from sync.errors import ConfigError, Misconfigured
from tests.doubles.account import CONTRIBUTIONS, Account
from tests.records import CORE, core_keys

FAMILY = "icao_entity_matcher"
COUNTER = "TYPE#C172#CESSNA#172"


def key(n: int) -> Any:
    return core_keys("FAA#LINKS", f"MFR_MDL_CODE#05609{n}#SN#{n}")


def put(account: Account, *numbers: int) -> None:
    """Links to one type; none is counted yet."""
    said = {"type_designator": "C172", "manufacturer": "CESSNA", "model": "172"}
    for n in numbers:
        item = {**key(n), **{name: {"S": value} for name, value in said.items()}}
        account.dynamodb.put_item(TableName=CORE, Item=item)


def hold(account: Account, count: int) -> None:
    """A hand from outside."""
    account.dynamodb.update_item(
        TableName=CORE,
        Key=core_keys("ICAO#MATCHER", COUNTER),
        UpdateExpression="SET #count = :count",
        ExpressionAttributeNames={"#count": "count"},
        ExpressionAttributeValues={":count": {"N": str(count)}},
    )


def held(account: Account) -> int | None:
    answer = account.dynamodb.get_item(TableName=CORE, Key=core_keys("ICAO#MATCHER", COUNTER))
    return int(answer["Item"]["count"]["N"]) if "Item" in answer else None


def pages(account: Account, **payload: Any) -> list[dict[str, Any]]:
    found = [account.call("recount", **payload)]
    while cursor := found[-1]["cursor"]:
        found.append(account.call("recount", **{**payload, "cursor": cursor}))
    return found


def cli(account: Account, *options: str) -> int:
    def call(payload: Any) -> dict[str, Any]:
        return account.call(
            payload["command"], **{k: v for k, v in payload.items() if k != "command"}
        )

    return main(["recount", *options], call)


def test_what_differs_is_told_and_then_mended(account: Account) -> None:
    """A link that was never counted, and a counter that somebody changed."""
    put(account, 1)
    account.call("resync", table=CORE)
    put(account, 2)
    hold(account, 7)
    told = pages(account)
    assert [link for page in told for link in page["links"]] == [
        {
            "family": FAMILY,
            "table": CORE,
            "keys": key(2),
            "said": COUNTER,
            "counted": None,
            "mended": False,
            "error": None,
        }
    ]
    assert [counter for page in told for counter in page["counters"]] == [
        {"family": FAMILY, "counter": COUNTER, "contributing": 1, "held": 7, "mended": False}
    ]
    assert held(account) == 7
    mended = pages(account, repair=True)
    assert {each["mended"] for page in mended for each in (*page["links"], *page["counters"])} == {
        True
    }
    assert held(account) == 2
    again = pages(account, limit=1)
    assert sum(page["checked"] for page in again) == 2 + 2  # links, and contributions
    assert not [each for page in again for each in (*page["links"], *page["counters"])]


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        *(({"cursor": c}, "no cursor of an earlier answer") for c in ("", "x", "{}", "[1, null]")),
        ({"cursor": '[0, "x"]'}, "no cursor of an earlier answer"),
        ({"cursor": "[true, null]"}, "no cursor of an earlier answer"),
        ({"repair": "yes"}, "'repair' must be true or false"),
        ({"limit": 0}, "'limit' must be a whole number over 0"),
        ({"family": FAMILY}, "recount does not take family; it takes repair"),
    ],
)
def test_a_bad_call_is_named(payload: dict[str, Any], named: str, account: Account) -> None:
    """Programs send these."""
    with pytest.raises(ConfigError) as error:
        account.call("recount", **payload)
    assert named in str(error.value)


def test_a_table_that_cannot_be_read_is_named(account: Account) -> None:
    """Nothing is taken for counted."""
    account.dynamodb.delete_table(TableName=CONTRIBUTIONS)
    put(account, 1)
    with pytest.raises(Misconfigured, match=CONTRIBUTIONS):
        account.call("recount")


def test_the_exit_code_is_1_while_something_differs(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """With tables for people; 0 once all is mended."""
    put(account, 1)
    account.call("resync", table=CORE)
    put(account, 2)
    hold(account, 7)
    assert cli(account) == 1
    out = capsys.readouterr().out
    assert "2 differ\n" in out
    assert f"{CORE}(PK=FAA#LINKS, SK=MFR_MDL_CODE#056092#SN#2)" in out
    (counter,) = [line.split() for line in out.splitlines() if line.startswith(COUNTER)]
    assert counter == [COUNTER, "1", "7", "differs"]
    assert cli(account, "--repair") == 0
    assert "2 mended\nno difference is left\n" in capsys.readouterr().out
    assert cli(account) == 0
    assert capsys.readouterr().out == "4 links and contributions checked\nno difference is left\n"


def test_a_link_that_can_not_be_mended_says_why(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """A repair that leaves something is no success, for programs either."""
    account.dynamodb.put_item(TableName=CORE, Item={**key(1), "model": {"N": "5"}})
    assert cli(account, "--repair", "--json") == 1
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["checked"], told["counters"]) == (1, [])
    assert "not a valid FaaLink: model" in told["links"][0]["error"]


def test_many_differences_are_all_told(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a pipe as to programs; a terminal shows the first."""
    put(account, *range(25))
    assert cli(account) == 1
    assert capsys.readouterr().out.count("  differs\n") == 25
    assert cli(account, "--json") == 1
    assert len(json.loads(capsys.readouterr().out)["links"]) == 25


def test_a_limited_recount_goes_on_from_its_cursor(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until there is none; each link is looked at once."""
    put(account, *range(3))
    told: list[Any] = []
    words = ["--limit", "2", "--json"]
    while True:
        cli(account, *words)
        told.append(json.loads(capsys.readouterr().out))
        if (cursor := told[-1]["cursor"]) is None:
            break
        words = ["--limit", "2", "--json", "--cursor", cursor]
    assert sum(page["checked"] for page in told) == 3
    assert sorted(link["keys"]["SK"]["S"] for page in told for link in page["links"]) == [
        key(n)["SK"]["S"] for n in range(3)
    ]
    assert len(told) >= 2
    cli(account, "--limit", "2")
    assert "there is more: the same with --cursor '[0," in capsys.readouterr().out
