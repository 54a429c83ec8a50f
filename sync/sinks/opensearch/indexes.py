"""Creates what the OpenSearch sink writes to: an alias for an index `<alias>-v<number>`."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sync.errors import Misconfigured
from sync.sinks.opensearch.mapping import added, unlike

if TYPE_CHECKING:
    from opensearchpy import OpenSearch as Client


def prepare(client: "Client", alias: str, body: Mapping[str, Any]) -> str:
    """Create *alias* and its index, or extend the index, as *body* says.

    Returns "created", "extended" or "unchanged". Adds new fields and sets gc_deletes in place,
    deletes nothing. Raises Misconfigured, naming the fields, if the type of a field differs: it
    can't be changed in place, so the documents need a new index.
    """
    if not client.indices.exists_alias(name=alias):
        return _create(client, alias, body)
    ((index, found),) = client.indices.get_mapping(index=alias).items()
    there, wanted = found["mappings"], body["mappings"]
    if changed := unlike(there, wanted):
        raise Misconfigured(
            f"alias {alias}, index {index}: the type of {', '.join(changed)} differs from the "
            "model; it can't be changed in place: run `reindex`"
        )
    more = added(there, wanted)
    gc_deletes = body["settings"]["gc_deletes"]
    settings = client.indices.get_settings(index=index)[index]["settings"]["index"]
    if not more and settings.get("gc_deletes") == gc_deletes:
        return "unchanged"
    if more:
        client.indices.put_mapping(index=index, body=more)
    if settings.get("gc_deletes") != gc_deletes:
        client.indices.put_settings(index=index, body={"index.gc_deletes": gc_deletes})
    return "extended"


def _create(client: "Client", alias: str, body: Mapping[str, Any]) -> str:
    if client.indices.exists(index=alias):
        raise Misconfigured(
            f"{alias} is an index where an alias is to be: something wrote to it too early"
        )
    index = next_index(client, alias)
    # One request for index and alias: a crash leaves both or neither.
    client.indices.create(index=index, body={**body, "aliases": {alias: {"is_write_index": True}}})
    return "created"


def next_index(client: "Client", alias: str) -> str:
    """The name of an index of *alias* that there is not yet."""
    taken = client.indices.get(index=f"{alias}-v*", ignore_unavailable=True)
    numbered = re.compile(rf"{re.escape(alias)}-v(\d+)")
    numbers = [int(match[1]) for name in taken if (match := numbered.fullmatch(name))]
    return f"{alias}-v{max(numbers, default=0) + 1}"
