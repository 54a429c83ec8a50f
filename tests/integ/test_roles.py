"""Each role lets its function do what it does, and nothing else; docs/security.md says what."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from local.paths import ROOT
from tests.asked import Ask, recorded
from tests.integ.permissions.documented import documented, granted
from tests.integ.permissions.faults import ACCEPTED, Faults, faults
from tests.integ.permissions.lambdas import UNKNOWN, own
from tests.integ.permissions.planted import PLANTED, planted
from tests.integ.permissions.simulator import decide, roles
from tests.integ.stages import VPC
from tests.integ.template.reading import Template, of_parts

SECURITY = ROOT / "docs" / "security.md"
FUNCTIONS = ("stream", "resync", "typesense", "runs", "deadletters", "admin")


@pytest.fixture(scope="module")
def template(compiled: Callable[..., Path]) -> Template:
    return of_parts(json.loads(compiled("prod", VPC).read_text()))


@pytest.fixture(scope="module")
def asks(template: Template) -> frozenset[Ask]:
    """All that functions ask, and Lambda in their name."""
    return frozenset([*recorded(), *own(template)])


@pytest.fixture(scope="module")
def found(template: Template, asks: frozenset[Ask]) -> dict[str, Faults]:
    assert roles(template).keys() == set(FUNCTIONS)
    return {function: faults(template, function, asks) for function in FUNCTIONS}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_what_its_function_asks_and_nothing_else(
    function: str, found: dict[str, Faults]
) -> None:
    """Every action on every resource, and every value of a condition, is needed by a call."""
    assert found[function].told() == []


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_told(bug: str, template: Template, asks: frozenset[Ask]) -> None:
    """For what it is."""
    broken = copy.deepcopy(template)
    planted(broken, PLANTED[bug])
    told = faults(broken, PLANTED[bug].function, asks).told()
    for said in PLANTED[bug].said:
        assert any(each.startswith(said) for each in told), (said, told)


@pytest.mark.parametrize(
    "ask",
    [
        Ask("admin", "s3:DeleteObject", "bucket/letters/x"),
        Ask("stream", "sqs:SendMessage", "queue/typesense.fifo"),
        Ask("typesense", "sqs:ChangeMessageVisibility", "queue/typesense.fifo"),
        Ask("resync", "dynamodb:Query", "table/core", "dynamodb:LeadingKeys=IMAGES#x"),
    ],
    ids=lambda ask: f"{ask.function} {ask.action}",
)
def test_what_nobody_asks_any_more_is_told(
    ask: Ask, template: Template, asks: frozenset[Ask]
) -> None:
    """A call that is not recorded leaves something in a role that nobody needs."""
    told = faults(template, ask.function, asks - {ask}).needless
    assert [each for each in told if each.startswith(f"{ask.action} on ")]


def test_nothing_is_needed_but_by_a_function_s_own_calls(
    template: Template, asks: frozenset[Ask]
) -> None:
    """If it asked nothing, all that its role says would be needless."""
    others = [ask for ask in asks if ask.function != "typesense"]
    needless = faults(template, "typesense", others).needless
    assert {each.split(" ")[0] for each in needless} == {
        action for statement in roles(template)["typesense"] for action in statement["Action"]
    }


@pytest.mark.parametrize("pattern", ACCEPTED)
def test_what_is_accepted_is_still_there(pattern: str, found: dict[str, Faults]) -> None:
    """An exception that nothing falls under any more hides the next fault."""
    beyond = [each for of_role in found.values() for each in of_role.beyond]
    assert [each for each in beyond if re.fullmatch(pattern, each)]


def test_what_is_not_asked_can_t_be(template: Template) -> None:
    """IAM's reference has no resource for it, and it stands for Lambda in one role alone."""
    ask = Ask("stream", "dynamodb:ListStreams", "stream/core")
    (decision,) = decide(template, roles(template), [("stream", ask)])
    assert "must.use.wildcard" in str(decision)
    with_it = [
        function
        for function, role in roles(template).items()
        if any(UNKNOWN & set(statement["Action"]) for statement in role)
    ]
    assert with_it == ["stream"]


def test_docs_security_says_what_roles_allow(template: Template) -> None:
    """Each row of its table, and nothing that stands in none."""
    assert documented(SECURITY.read_text()) == granted(template)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("| typesense, admin | `secretsmanager:", "| admin | `secretsmanager:"),
        ("`CoreTable` where `IMAGES#*` |", "`CoreTable` |"),
        ("`dynamodb:Scan` | `StateTable`", "`dynamodb:Scan`, `dynamodb:Query` | `StateTable`"),
    ],
)
def test_a_row_that_is_wrong_is_told(row: str, wrong: str, template: Template) -> None:
    """A function, a condition, or an action that differs."""
    page = SECURITY.read_text()
    assert page.count(row) == 1
    assert documented(page.replace(row, wrong)) != granted(template)
