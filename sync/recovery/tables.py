"""Scanning the keys of a whole table, page by page."""

from collections.abc import Sequence

from sync.aws.clients import Clients
from sync.aws.keys import AttributeMap, Source
from sync.aws.pages import page


def keys_of(
    clients: Clients, table: str, names: Sequence[str], start: AttributeMap | None, limit: int
) -> tuple[list[Source], AttributeMap | None]:
    """One page of a scan: at most *limit* keys of *table*, and the *start* of the next page (None:
    this was the last page).

    *names*: the table's key attributes. *start*: the LastEvaluatedKey of the page before. Raises
    Retry.
    """
    rows, start = page(
        clients,
        "scan",
        start,
        TableName=table,
        Limit=limit,
        ConsistentRead=False,  # the stream delivers recent writes
        ProjectionExpression=", ".join(f"#{n}" for n in range(len(names))),
        ExpressionAttributeNames={f"#{n}": name for n, name in enumerate(names)},
    )
    return [Source(table, row) for row in rows], start
