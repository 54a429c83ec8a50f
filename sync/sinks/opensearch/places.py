"""The indexes behind a target's aliases while it is reindexed; see `Reindexable`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sync.errors import Misconfigured, Unavailable
from sync.sinks.opensearch.indexes import next_index
from sync.sinks.opensearch.mapping import unlike
from sync.writing.shadows import SHADOW, Places

if TYPE_CHECKING:
    from opensearchpy import OpenSearch as Client

_WRITES: Final = {"is_write_index": True}


def places(client: "Client", alias: str) -> Places:
    """Where the documents of *alias* are."""
    return Places(_behind(client, alias), _behind(client, f"{alias}{SHADOW}"))


def shadow(client: "Client", alias: str, body: Mapping[str, Any]) -> Places:
    """Create the next index of *alias*, as *body* says, behind its shadow alias; or find it there.

    Every node of the cluster knows of it then: each write that begins later goes to it, too.
    """
    found = places(client, alias)
    if found.live is None:
        raise Misconfigured(f"there is no alias {alias}; `mappings apply` creates it")
    if found.shadow is None:
        index = next_index(client, alias)
        aliases = {f"{alias}{SHADOW}": _WRITES}
        _check(client.indices.create(index=index, body={**body, "aliases": aliases}), index)
        return places(client, alias)
    if found.is_swapped:
        raise Misconfigured(
            f"{alias} still has its previous index {found.shadow}: `reindex drop` deletes it"
        )
    ((_, told),) = client.indices.get_mapping(index=found.shadow).items()
    if fields := unlike(told["mappings"], body["mappings"]):
        raise Misconfigured(
            f"the index {found.shadow} that {alias} is being reindexed to has another mapping of "
            f"{', '.join(fields)}: `reindex drop` deletes it"
        )
    return found


def swap(client: "Client", alias: str, live: str) -> Places:
    """Point *alias* to *live*, and its shadow alias to the index that it pointed to."""
    found = places(client, alias)
    if found.live == live:
        return found
    if found.live is None or found.shadow != live:
        raise Misconfigured(f"{live} is not the shadow of {alias}, which is {found.shadow}")
    actions: list[dict[str, Any]] = [
        {"remove": {"index": found.live, "alias": alias}},
        {"add": {"index": live, "alias": alias, **_WRITES}},
        {"remove": {"index": live, "alias": f"{alias}{SHADOW}"}},
        {"add": {"index": found.live, "alias": f"{alias}{SHADOW}", **_WRITES}},
    ]
    for other, options in client.indices.get_alias(index=found.live)[found.live]["aliases"].items():
        if other != alias:  # people's own, such as one with a filter
            actions += [
                {"remove": {"index": found.live, "alias": other}},
                {"add": {"index": live, "alias": other, **options}},
            ]
    client.indices.refresh(index=live)  # else its readers may miss what it was filled with
    _check(client.indices.update_aliases(body={"actions": actions}), alias)
    return places(client, alias)


def drop(client: "Client", alias: str, index: str) -> Places:
    """Delete *index*, which has to be the shadow of *alias*; its alias goes with it."""
    found = places(client, alias)
    if found.shadow != index:
        raise Misconfigured(f"{index} is not the shadow of {alias}, which is {found.shadow}")
    _check(client.indices.delete(index=index), index)
    return places(client, alias)


def _behind(client: "Client", alias: str) -> str | None:
    """The index behind *alias*; None if there is no such alias. Raises Misconfigured."""
    if not client.indices.exists_alias(name=alias):
        return None
    found = list(client.indices.get_alias(name=alias))
    if len(found) != 1:
        raise Misconfigured(f"the alias {alias} stands for several indexes: {', '.join(found)}")
    return str(found[0])


def _check(answer: Mapping[str, Any], what: str) -> None:
    """Raise Unavailable if some node may not know yet."""
    if not answer.get("acknowledged"):
        raise Unavailable(
            f"{what}: not all nodes of the cluster took the change in time; try again"
        )
