"""Where calls are made, and the classes of faults that befall them."""

from random import Random
from typing import Final

from tests.simulation.calls import Fault

SITES: Final = (
    "opensearch.bulk",
    "plain.write",
    "typesense.import",
    "typesense.delete",
    "sqs.send_message_batch",
    "sqs.send_message_batch fifo",
    "sqs.change_message_visibility",
    "sns.publish_batch",
    "s3.put_object",
    "s3.get_object",
    "s3.delete_object",
    "s3.list_objects_v2",
    "dynamodb.batch_get_item",
    "dynamodb.update_item",
    "dynamodb.get_item",
    "dynamodb.put_item",
    "dynamodb.delete_item",
    "dynamodb.query",
    "dynamodb.get_item core",
    "dynamodb.query core",
    "dynamodb.transact_write_items",
    "dynamodb.scan",
    "dynamodb.scan core",
    "lambda.invoke",
    "lambda.on_failure",
)
DERIVED: Final = (  # called for derived rows
    "dynamodb.get_item core",
    "dynamodb.query core",
    "dynamodb.transact_write_items",
)
CLASSES: Final = (  # of faults, which a swarm has or has not
    (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.CRASH_LATE),
    (Fault.TIMEOUT, Fault.TIMEOUT_DONE),
    (Fault.TIMEOUT_LATE, Fault.CUT_LATE),
    (Fault.THROTTLED, Fault.SERVER_ERROR),
    (Fault.CUT_BEFORE, Fault.CUT_AFTER),
    (Fault.PARTIAL,),
)
RANGES: Final = "dynamodb.update_item"  # a range of 50 records needs 50 of them, in one go
SELDOM: Final = tuple(site for site in SITES if site.startswith("dynamodb") and site not in DERIVED)


def swarm(random: Random) -> tuple[dict[str, float], dict[str, tuple[Fault, ...]]]:
    """Rates and kinds of faults by site: some sites and some classes of faults, and those often."""
    on = [site for site in SITES if random.random() < 0.5]
    rates = {site: random.choice((0.02, 0.1, 0.3, 0.6)) for site in on}
    rates[RANGES] = min(0.05, rates.get(RANGES, 0.0))
    classes = [kinds for kinds in CLASSES if random.random() < 0.5] or [random.choice(CLASSES)]
    return rates, dict.fromkeys(SITES, sum(classes, ()))
