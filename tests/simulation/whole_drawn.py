"""Which histories are of whole tables, and what befalls them.

They are drawn by a chance of their own, so that the seeds of other kinds stay what they are.
"""

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from tests.simulation.writes import DELETES

if TYPE_CHECKING:
    from tests.simulation.scenario import Scenario

KIND: Final = "whole tables"
SHARE: Final = 0.25  # of the seeds of the mixed kind
INCIDENTS: Final = {
    "backfill": 24, "pause": 2, "resume": 2, "cancel": 1, "reindex": 14, "rollback": 2, "drop": 1,
    "verify": 4, "repair": 4, "kill": 5, "recycle": 2, "restart": 2, "block": 1, "resync": 2,
    "recover": 2,
}  # fmt: skip
EARLIER_S: Final = 10.0  # than a delete; a run is begun, and its table read, within that
MOST_PAGES: Final = 40  # of the answers to a person
ASKED_AGAIN_S: Final = 30.0  # while a place is filled or compared
PAGE_BYTES: Final = 600  # of a scan: a few items


def drawn(scenario: "Scenario", seed: int) -> "Scenario":
    """*scenario*, or one of this kind instead."""
    random = Random(f"whole tables {seed}")
    eligible = scenario.kind == "mixed" and not (scenario.deploys or scenario.bulk)
    if not eligible or random.random() >= SHARE:
        return scenario
    count = random.choice((6, 12, 24))
    kinds = random.choices(tuple(INCIDENTS), tuple(INCIDENTS.values()), k=count)
    most = min(scenario.ends, scenario.writes[-1].at + 60.0)
    removed = [write.at for write in scenario.writes if write.kind in DELETES]

    def at(kind: str) -> float:
        """Backfills are begun just before an item is deleted: a scan may find it still."""
        if kind == "backfill" and removed and random.random() < 0.7:
            return max(0.0, random.choice(removed) - random.uniform(0.0, EARLIER_S))
        return random.uniform(0, most)

    incidents = tuple((at(kind), kind) for kind in kinds)
    asking = random.choice((0.02, 0.1, 0.2))
    rates = {
        **scenario.trouble.rates,
        "opensearch.admin": asking,
        "typesense.admin": asking,
        "dynamodb.describe_table": 0.5,  # asked seldom
    }
    trouble = replace(scenario.trouble, rates=rates)
    return replace(scenario, kind=KIND, incidents=incidents, trouble=trouble)
