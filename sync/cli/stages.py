"""Runs `attach`, `detach` and `doctor`: what stage files say, and whether it is right."""

import argparse
from typing import TYPE_CHECKING, Final

from sync.cli.screen import Screen

if TYPE_CHECKING:
    from sync.stages.checks import Finding

_STYLES: Final = {"warning": "yellow", "fault": "red"}


def attach_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="name of a table that exists")
    parser.add_argument("--role", help="what models call it (default: its name in snake case)")
    parser.add_argument(
        "--renamed",
        action="store_true",
        help="it takes the place of the table with this role: renamed, restored or copied",
    )
    parser.add_argument("--domain", help="also write to this OpenSearch domain, which exists")


def attach(options: argparse.Namespace, screen: Screen) -> int:
    """Add a table that exists to the stage's file; nothing on AWS is changed."""
    from sync.aws.clients import client
    from sync.stages import attach as attaching
    from sync.stages.files import folder, path_of

    path = path_of(options.stage, folder())
    role = options.role or attaching.role_of(options.table)
    stage, findings = attaching.attach(
        client,
        path,
        options.stage,
        options.table,
        role,
        options.domain,
        renamed=options.renamed,
    )
    if options.json:
        screen.json({"role": role, "file": str(path), "findings": [f._asdict() for f in findings]})
        return 0
    _say(screen, findings)
    screen.say(f"{path}: tables.{role} is {options.table}, by {', '.join(stage.tables[role].keys)}")
    screen.say(f"next: python -m sync doctor --stage {options.stage}")
    return 0


def detach_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", metavar="ROLE", help="what models call the table")


def detach(options: argparse.Namespace, screen: Screen) -> int:
    """Take a table out of the stage's file; the next deployment no longer reads it."""
    from sync.stages import attach as attaching
    from sync.stages.files import folder, path_of

    path = path_of(options.stage, folder())
    stage = attaching.detach(path, options.role)
    if options.json:
        screen.json({"file": str(path), "tables": list(stage.tables)})
    else:
        screen.say(f"{path}: tables.{options.role} is gone; left: {', '.join(stage.tables)}")
    return 0


def doctor(options: argparse.Namespace, screen: Screen) -> int:
    """Check a stage before it is deployed; exit code 1 if it has a fault."""
    from sync.aws.clients import client
    from sync.stages.checks import checked
    from sync.stages.files import folder, path_of, read

    stage = read(path_of(options.stage, folder()))
    findings = list(checked(options.stage, stage, client))
    faulty = any(one.level == "fault" for one in findings)
    if options.json:
        screen.json({"findings": [one._asdict() for one in findings]})
    else:
        _say(screen, findings)
        counts = sum(one.level == "fault" for one in findings)
        screen.say(f"{counts} faults" if counts else "nothing stands against a deployment")
    return 1 if faulty else 0


def _say(screen: Screen, findings: "list[Finding]") -> None:
    for one in findings:
        screen.say(f"{one.level:<8} {one.of}: {one.said}", _STYLES.get(one.level, ""))
        if one.advice:
            screen.say(f"         {one.advice}")
