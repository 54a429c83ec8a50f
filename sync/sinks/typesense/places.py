"""The collections behind a target's aliases while it is reindexed; see `Reindexable`.

Typesense changes one alias at a time. Between two changes both aliases name one collection; then
there is no shadow for that moment, and the previous collection misses what is written.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sync.errors import Misconfigured
from sync.sinks.typesense.aliases import next_collection, targets, unlike
from sync.writing.shadows import SHADOW, Places

if TYPE_CHECKING:
    from typesense import Client


def among(known: Mapping[str, str], alias: str) -> Places:
    """Where the documents of *alias* are, by the collections behind all aliases."""
    live, other = known.get(alias), known.get(f"{alias}{SHADOW}")
    return Places(live, None if other == live else other)


def places(client: "Client", alias: str) -> Places:
    """Where the documents of *alias* are now."""
    return among(targets(client), alias)


def shadow(client: "Client", alias: str, schema: Mapping[str, Any]) -> Places:
    """Create the next collection of *alias* behind its shadow alias, or find it there."""
    found = places(client, alias)
    if found.live is None:
        raise Misconfigured(f"there is no alias {alias}; `mappings apply` creates it")
    if found.shadow is None:
        collection = next_collection(client, alias, schema)
        _carry(client, found.live, collection)
        client.aliases.upsert(f"{alias}{SHADOW}", {"collection_name": collection})
        return Places(found.live, collection)
    if found.is_swapped:
        raise Misconfigured(
            f"{alias} still has its previous collection {found.shadow}: `reindex drop` deletes it"
        )
    if fields := unlike(client.collections[found.shadow].retrieve(), schema):
        raise Misconfigured(
            f"the collection {found.shadow} that {alias} is being reindexed to has another schema "
            f"of {', '.join(fields)}: `reindex drop` deletes it"
        )
    return found


def swap(client: "Client", alias: str, live: str) -> Places:
    """Point *alias* to *live*, and its shadow alias to the collection that it pointed to."""
    known = targets(client)
    seen, other = known.get(alias), known.get(f"{alias}{SHADOW}")
    if seen != live:
        if seen is None or other != live:
            raise Misconfigured(f"{live} is not the shadow of {alias}, which is {other}")
        _carry(client, seen, live)
        client.aliases.upsert(alias, {"collection_name": live})
    elif other == live:  # an earlier swap ended between both changes
        seen = _other(client, alias, live)
    else:
        return Places(live, other)
    if seen is not None:
        client.aliases.upsert(f"{alias}{SHADOW}", {"collection_name": seen})
    return Places(live, seen)


def drop(client: "Client", alias: str, collection: str) -> Places:
    """Delete *collection*, which has to be the shadow of *alias*, or one that a crash left.

    The alias goes first: else there would be an alias without a collection if this dies.
    """
    found = places(client, alias)
    if found.shadow == collection:
        client.aliases[f"{alias}{SHADOW}"].delete()
    elif collection == found.live or not re.fullmatch(rf"{re.escape(alias)}_v\d+", collection):
        raise Misconfigured(f"{collection} is not the shadow of {alias}, which is {found.shadow}")
    client.collections[collection].delete()
    return Places(found.live, None)


def _other(client: "Client", alias: str, live: str) -> str | None:
    """The only other collection of *alias*; None if there is none, or if there are several."""
    names = [str(each["name"]) for each in client.collections.retrieve()]
    others = [n for n in names if n != live and re.fullmatch(rf"{re.escape(alias)}_v\d+", n)]
    return others[0] if len(others) == 1 else None


def _carry(client: "Client", from_: str, to: str) -> None:
    """Give the collection *to* the synonyms and overrides that *from_* has, and no others."""
    there, here = client.collections[from_], client.collections[to]
    wanted = {each["id"]: each for each in there.synonyms.retrieve()["synonyms"]}
    present = {each["id"]: each for each in here.synonyms.retrieve()["synonyms"]}
    for id_, each in wanted.items():
        if present.get(id_) != each:
            here.synonyms.upsert(id_, _without_id(each))  # type: ignore[arg-type] # as it was read
    for id_ in present.keys() - wanted.keys():
        here.synonyms[id_].delete()
    rules = {each["id"]: each for each in there.overrides.retrieve()["overrides"]}
    ours = {each["id"]: each for each in here.overrides.retrieve()["overrides"]}
    for id_, rule in rules.items():
        if ours.get(id_) != rule:
            here.overrides.upsert(id_, _without_id(rule))  # type: ignore[arg-type] # as it was read
    for id_ in ours.keys() - rules.keys():
        here.overrides[id_].delete()


def _without_id(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "id"}
