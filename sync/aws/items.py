"""Consistent reads of items by their keys."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sync.aws.clients import Clients, failures
from sync.aws.keys import AttributeMap, Identity, Source, canonical, identity
from sync.aws.wire import plain, wire
from sync.errors import Retry, Throttled
from sync.runtime.deadline import Deadline
from sync.runtime.retry import full_jitter, until_settled

_MOST_KEYS: Final = 100  # in one BatchGetItem (API reference)

Found = AttributeMap | None | Retry
"""The item; None if it does not exist; or the error if it could not be read."""


class Items:
    """Reads items by their keys: whole, or only the attributes *names*, keys included."""

    def __init__(self, clients: Clients, names: Sequence[str] = ()) -> None:
        self._clients = clients
        self._names = names

    def read(self, sources: Sequence[Source], deadline: Deadline) -> dict[Source, Found]:
        """The items of *sources*, read consistently, with as few requests as possible.

        Keys that DynamoDB leaves unprocessed are requested again until *deadline*; they never count
        as absent. An error of one table affects only its own items.
        """
        found: dict[Source, Found] = {}
        by_table: dict[str, list[Source]] = {}
        for source in dict.fromkeys(sources):
            by_table.setdefault(source.table, []).append(source)
        for table, wanted in by_table.items():
            for at in range(0, len(wanted), _MOST_KEYS):
                found.update(self._read(table, wanted[at : at + _MOST_KEYS], deadline))
        return found

    def _read(
        self, table: str, wanted: Sequence[Source], deadline: Deadline
    ) -> Iterator[tuple[Source, Found]]:
        throttled = Throttled(f"{table}: items left unprocessed until time was up")

        def attempt(waiting: Sequence[Source]) -> Iterator[tuple[Source, Found]]:
            try:
                items, unprocessed = self._ask(table, waiting)
            except Retry as error:
                yield from ((source, error) for source in waiting)
                return
            for source in waiting:
                at = source.identity
                yield source, throttled if at in unprocessed else items.get(at)

        def pause(retry: int, failed: Sequence[tuple[Source, Retry]]) -> bool:
            return failed[0][1] is throttled and deadline.pause(full_jitter(retry))

        return until_settled(wanted, attempt, pause)

    def _ask(
        self, table: str, wanted: Sequence[Source]
    ) -> tuple[dict[Identity, AttributeMap], set[Identity]]:
        """One BatchGetItem: the items that it returned, and the keys that it left unprocessed."""
        keys = list(wanted[0].keys)
        request: dict[str, Any] = {
            "Keys": [wire(canonical(source.keys)) for source in wanted],
            "ConsistentRead": True,
        }
        if names := self._names:
            request["ProjectionExpression"] = ", ".join(f"#{n}" for n in range(len(names)))
            request["ExpressionAttributeNames"] = {f"#{n}": name for n, name in enumerate(names)}
        with failures(f"reading from {table}"):
            answer = self._clients("dynamodb").batch_get_item(RequestItems={table: request})
        items = {}
        for item in plain(answer, answer.get("Responses", {}).get(table, [])):
            items[identity({name: item[name] for name in keys})] = item
        unprocessed = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        return items, set(map(identity, plain(answer, unprocessed)))
