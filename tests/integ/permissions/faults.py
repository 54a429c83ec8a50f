"""What is wrong with a role: it denies what its function asks, says what nobody needs, or allows
more than is asked."""

import re
from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from tests.asked import Ask
from tests.integ.permissions.lambdas import UNKNOWN
from tests.integ.permissions.probes import probes
from tests.integ.permissions.simulator import Role, Statement, decide, roles
from tests.integ.template.reading import Template

# What a role allows though its function does not ask it, as "function action resource condition",
# and why that is so.
ACCEPTED: Final = {
    r"(stream|resync|runs|admin) dynamodb:\w+ table/core dynamodb:LeadingKeys="
    r"(IMAGES#x|DEFAULT_IMAGES#x|ICAO#MATCHER)": "one condition holds for all derived rows",
    r"typesense dynamodb:BatchGetItem table/core dynamodb:LeadingKeys=\S+": (
        "it reads whatever a model routes to Typesense, which may be of any kind"
    ),
    r"(stream|deadletters|admin) s3:ListBucket bucket s3:prefix=\S+": (
        "that an object is gone is told to those alone who may list, and no prefix is asked then"
    ),
    r"admin es:ESHttp(Head|Get|Put) domain/\S+": "indexes have the names that models give them",
    r"admin es:ESHttpDelete domain/x-vx/\S+": (
        "a path's wildcard is for what is below an index, too; _bulk deletes documents anyway"
    ),
}


@dataclass(frozen=True, slots=True)
class Faults:
    """Of one role."""

    denied: list[str]
    needless: list[str]
    beyond: list[str]  # those that are accepted included

    def told(self) -> list[str]:
        return [
            *(f"denied: {each}" for each in self.denied),
            *(f"nobody needs {each}" for each in self.needless),
            *(
                f"allowed, but never asked: {each}"
                for each in self.beyond
                if not any(re.fullmatch(pattern, each) for pattern in ACCEPTED)
            ),
        ]


def faults(template: Template, function: str, asks: Collection[Ask]) -> Faults:
    """Those of *function*'s role, *asks* being all that anybody asks."""
    role = roles(template)[function]
    own = sorted(ask for ask in asks if ask.function == function)
    less = {what: (changed, actions) for what, changed, actions in _without_each(role)}
    others = [probe for probe in probes(asks) if probe._replace(function=function) not in asks]
    questions = [
        *(("", ask) for ask in (*own, *others)),
        *(
            (what, ask)
            for what, (_, actions) in less.items()
            for ask in own
            if ask.action in actions
        ),
    ]
    asked = {"": role, **{what: changed for what, (changed, _) in less.items()}}
    decided = dict(zip(questions, decide(template, asked, questions), strict=True))
    needed = {
        what
        for (what, ask), decision in decided.items()
        if what and decided["", ask] is True and decision is False
    }
    return Faults(
        denied=[
            f"{function} {_told(ask)}" + f" ({decided['', ask]})" * bool(decided["", ask])
            for ask in own
            if decided["", ask] is not True
        ],
        needless=[what for what in less if what not in needed],
        beyond=[f"{function} {_told(ask)}" for ask in others if decided["", ask] is True],
    )


def _told(ask: Ask) -> str:
    return " ".join(ask[1:]).strip()


def _without_each(role: Role) -> Iterator[tuple[str, Role, Collection[str]]]:
    """Whatever can be taken from a role: an action on a resource, or a value of a condition; with
    what remains, and the actions that it is about."""
    for n, statement in enumerate(role):
        actions, resources = statement["Action"], statement["Resource"]
        for action in actions:
            for resource in resources:
                if action not in UNKNOWN:
                    changed = list(role)
                    changed[n : n + 1] = _without(statement, action, resource)
                    yield f"{action} on {resource} in statement {n}", changed, {action}
        for operator, keys in statement.get("Condition", {}).items():
            for key, values in keys.items():
                for value in values:
                    changed = deepcopy(list(role))
                    changed[n]["Condition"][operator][key].remove(value)
                    yield f"{value} in statement {n}", changed, actions


def _without(statement: Statement, action: str, resource: str) -> Iterator[Statement]:
    """*statement* as two, which say the same but for *action* on *resource*."""
    if others := [each for each in statement["Action"] if each != action]:
        yield {**statement, "Action": others}
    if elsewhere := [each for each in statement["Resource"] if each != resource]:
        yield {**statement, "Action": [action], "Resource": elsewhere}
