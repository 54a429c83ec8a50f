"""What linters find in the template is nothing but what we accept, with the reason."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integ.stages import ATTACHED, PROD, VPC
from tests.integ.template import accepted
from tests.integ.template.linting import checkov, parliament
from tests.integ.template.reading import Template, of_parts
from tests.lengths import alone

OTHERS = [pytest.mark.soak, alone("each resource of this one is in that with a VPC")]


@pytest.mark.parametrize(
    ("stage", "content"),
    [
        pytest.param("prod", VPC, id="vpc"),  # with all there is
        pytest.param("prod", ATTACHED, id="attached"),  # with as little as can be
        pytest.param("prod", PROD, id="production", marks=OTHERS),
        pytest.param("dev", None, id="trial", marks=OTHERS),
    ],
)
def test_cfn_lint_finds_nothing(
    stage: str, content: Mapping[str, Any] | None, compiled: Callable[..., Path]
) -> None:
    """The template is one that CloudFormation's own schemas accept, warnings included."""
    ignored = {**accepted.CFN_LINT, **({} if content is VPC else accepted.CFN_LINT_OUTSIDE_A_VPC)}
    path = compiled(stage, content)
    linted = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), path, "--ignore-checks", *ignored],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (linted.stdout, linted.returncode) == ("", 0)


@pytest.fixture(scope="module")
def template_path(compiled: Callable[..., Path]) -> Path:
    return compiled("prod", PROD)


@pytest.fixture(scope="module")
def template(template_path: Path) -> Template:
    return of_parts(json.loads(template_path.read_text()))


def accepted_of_checkov() -> Iterator[tuple[str, str]]:
    for check, (_, resources) in accepted.CHECKOV.items():
        yield from ((check, resource) for resource in resources)


@pytest.mark.soak
@alone("cfn-lint and the promises of template/ look at each change")
def test_checkov_finds_what_we_accept(template: Template, tmp_path: Path) -> None:
    """Each exception is explained in accepted.py, and each is still one; a planted one is seen."""
    bucket = "PlantedBucket"
    planted = copy.deepcopy(template)
    planted["Resources"][bucket] = {"Type": "AWS::S3::Bucket", "Properties": {}}
    path = tmp_path / "template.json"
    path.write_text(json.dumps(planted))
    found = checkov(path)
    assert ("CKV_AWS_53", bucket) in found  # it does not block public access
    assert {told for told in found if told[1] != bucket} == set(accepted_of_checkov())


def test_parliament_finds_what_we_accept(template: Template, tmp_path: Path) -> None:
    """Of the roles' policies, those for a VPC included."""
    found = list(parliament(template, tmp_path))
    for issue, (_, actions, policies) in accepted.PARLIAMENT.items():
        of_it = [(where, of) for told, where, of in found if told == issue]
        assert {where for where, _ in of_it} == policies, issue
        assert set().union(*(of for _, of in of_it)) == actions, issue
    assert {issue for issue, _, _ in found} == set(accepted.PARLIAMENT)


@pytest.mark.parametrize(
    ("changed", "issue"),
    [
        ({"Action": "dynamodb:PutItems"}, "UNKNOWN_ACTION"),
        ({"Resource": {"Fn::GetAtt": ["ResyncQueue", "Arn"]}}, "RESOURCE_MISMATCH"),
        ({"Action": "sqs:DeleteMessage", "Resource": "*"}, "RESOURCE_STAR"),
    ],
)
def test_parliament_sees_a_planted_breach(
    changed: Mapping[str, object], issue: str, template: Template, tmp_path: Path
) -> None:
    """An action that there is not, a resource of another service, and all there are."""
    broken = copy.deepcopy(template)
    policy = broken["Resources"]["AdminRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    (reads,) = (s for s in policy["Statement"] if "dynamodb:DescribeTable" in s["Action"])
    reads |= changed
    found = {(told, where) for told, where, _ in parliament(broken, tmp_path)}
    assert (issue, "AdminRole admin") in found
