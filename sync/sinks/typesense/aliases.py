"""Creates what the Typesense sink writes to: an alias for a collection `<alias>_v<number>`."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sync.errors import Misconfigured

if TYPE_CHECKING:
    from typesense import Client


def prepare(client: "Client", alias: str, schema: Mapping[str, Any]) -> str:
    """Create *alias* and its collection, or extend the collection, as *schema* says.

    Returns "created", "extended" or "unchanged". Adds new fields in place, and as optional fields,
    since existing documents lack them until they are resynced. Deletes nothing. Raises
    Misconfigured, naming the fields, if a field differs: changing it in place would drop its index
    meanwhile, so the documents need a new collection.
    """
    collection = targets(client).get(alias)
    if collection is None:
        return _create(client, alias, schema)
    added = missing(alias, collection, client.collections[collection].retrieve(), schema)
    if not added:
        return "unchanged"
    client.collections[collection].update({"fields": added})
    return "extended"


def missing(
    alias: str, collection: str, found: Mapping[str, Any], schema: Mapping[str, Any]
) -> list[Any]:
    """The fields of *schema* that *found* lacks. Raises Misconfigured if other fields differ."""
    if changed := unlike(found, schema):
        raise Misconfigured(
            f"alias {alias}, collection {collection}: the type of {', '.join(changed)} differs "
            "from the model; it can't be changed in place: run `reindex`"
        )
    there = {field["name"] for field in found["fields"]}
    return [
        {**wanted, "optional": True} for wanted in schema["fields"] if wanted["name"] not in there
    ]


def unlike(found: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """The fields of *schema* that the collection *found* has otherwise."""
    there = {field["name"]: field for field in found.get("fields", ())}
    return sorted(
        wanted["name"]
        for wanted in schema["fields"]
        if wanted["name"] in there and _differs(there[wanted["name"]], wanted)
    )


def _differs(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a field differs from *wanted*, other than by being optional where it need not be."""
    return any(
        there.get(name) != value
        for name, value in wanted.items()
        if not (name == "optional" and there.get(name))
    )


def targets(client: "Client") -> dict[str, str]:
    """The collection behind each alias."""
    listed = client.aliases.retrieve()["aliases"]
    return {each["name"]: each["collection_name"] for each in listed}


def _create(client: "Client", alias: str, schema: Mapping[str, Any]) -> str:
    """Create a collection, then the alias."""
    collection = next_collection(client, alias, schema)
    client.aliases.upsert(alias, {"collection_name": collection})
    return "created"


def next_collection(client: "Client", alias: str, schema: Mapping[str, Any]) -> str:
    """Create a collection for *alias*; or use an empty one that a crash left behind."""
    there = {each["name"]: each for each in client.collections.retrieve()}
    if alias in there:
        raise Misconfigured(f"{alias} is a collection where an alias is to be")
    numbers = [int(m[1]) for name in there if (m := re.fullmatch(rf"{alias}_v(\d+)", name))]
    last = f"{alias}_v{max(numbers, default=0)}"
    if last in there and last not in targets(client).values() and _is_ready(there[last], schema):
        return last
    collection = f"{alias}_v{max(numbers, default=0) + 1}"
    client.collections.create({**schema, "name": collection})  # type: ignore[typeddict-item] # read from a file
    return collection


def _is_ready(found: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    there = {field["name"]: field for field in found["fields"]}
    return not found["num_documents"] and all(
        wanted["name"] in there and not _differs(there[wanted["name"]], wanted)
        for wanted in schema["fields"]
    )
