"""Two searches in Typesense, through its official client."""

from typing import Any, Final
from urllib.parse import urlsplit

from typesense import Client

from local.demo.figures import Failed
from local.demo.scene import Scene

_HITS: Final = 4
_TIMEOUT_S: Final = 10


def search(scene: Scene) -> None:
    """Search an aircraft by its owner, and an image by its caption."""
    client = _client(scene)
    _by_owner(scene, client)
    _by_caption(scene, client)


def _by_owner(scene: Scene, client: Client) -> None:
    owner = "blue ridge"
    found = _search(
        scene,
        client,
        "registry",
        f"“{owner}” in the owner's name, American aircraft, by state",
        {
            "q": owner,
            "query_by": "name",
            "filter_by": "country:=US",
            "facet_by": "state",
            "per_page": _HITS,
        },
    )
    documents = [hit["document"] for hit in found["hits"]]
    rows = [(d["registration"], d["name"], d["city"], d["state"]) for d in documents]
    scene.screen.table(["mark", "owner", "city", "state"], rows)
    counts = found["facet_counts"][0]["counts"]
    scene.screen.say("states: " + " · ".join(f"{c['value']} {c['count']}" for c in counts))
    for document in documents:
        if document["country"] != "US" or not document["name"].startswith("BLUE RIDGE"):
            raise Failed(f"a search for owners called {owner} found {document['name']}")


def _by_caption(scene: Scene, client: Client) -> None:
    found = _search(
        scene,
        client,
        "aircraft_images",
        "“snowy ridge” in the caption, 3,000 pixels wide or more",
        {
            "q": "snowy ridge",
            "query_by": "caption",
            "filter_by": "width:>=3000",
            "per_page": _HITS,
        },
    )
    documents = [hit["document"] for hit in found["hits"]]
    rows = [(d["entity_id"], d["caption"], d["photographer"], d["width"]) for d in documents]
    scene.screen.table(["aircraft", "caption", "by", "width"], rows)
    for document in documents:
        if "snowy ridge" not in document["caption"] or document["width"] < 3_000:
            raise Failed(f"a search for wide images of a snowy ridge found {document['caption']}")


def _search(
    scene: Scene, client: Client, alias: str, title: str, parameters: dict[str, Any]
) -> Any:
    answer: Any = client.collections[alias].documents.search(parameters)  # type: ignore[arg-type]
    scene.screen.say(f"{title}: {answer['found']} found in {answer['search_time_ms']} ms")
    if not answer["found"]:
        raise Failed(f"the search for {title} found nothing")
    return answer


def _client(scene: Scene) -> Client:
    url = urlsplit(scene.stack.typesense_url)
    return Client(
        {
            "api_key": scene.stack.typesense_api_key,
            "nodes": [{"host": url.hostname or "", "port": url.port or 0, "protocol": url.scheme}],
            "connection_timeout_seconds": _TIMEOUT_S,
        }
    )
