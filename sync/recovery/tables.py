"""Walking the keys of a whole table, with a cursor."""

from collections.abc import Sequence

from sync.aws.clients import Clients
from sync.aws.keys import AttributeMap, Source
from sync.aws.pages import page


def keys_of(
    clients: Clients, table: str, names: Sequence[str], start: AttributeMap | None, limit: int
) -> tuple[list[Source], AttributeMap | None]:
    """At most *limit* items of *table*, whose key attributes are *names*, from the key *start* on;
    and the key that the next page begins after. None: that was the last. Raises Retry."""
    rows, start = page(
        clients,
        "scan",
        start,
        TableName=table,
        Limit=limit,
        ConsistentRead=False,  # what was written a moment ago is in the stream
        ProjectionExpression=", ".join(f"#{n}" for n in range(len(names))),
        ExpressionAttributeNames={f"#{n}": name for n, name in enumerate(names)},
    )
    return [Source(table, row) for row in rows], start
