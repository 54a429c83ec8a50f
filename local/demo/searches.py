"""Three searches that a table can't answer."""

from typing import Any, Final

from local.demo.figures import Failed
from local.demo.scene import Scene

_HITS: Final = 5


def run(scene: Scene) -> None:
    _several_fields(scene)
    _misspelled(scene)
    _faceted(scene)


def _several_fields(scene: Scene) -> None:
    answer = _search(
        scene,
        "icao_aircraft",
        "“boeing 747” in manufacturer and model, wake category H",
        {
            "query": {
                "bool": {
                    "must": {
                        "multi_match": {
                            "query": "boeing 747",
                            "type": "cross_fields",
                            "operator": "and",
                            "fields": ["manufacturer", "model"],
                        }
                    },
                    "filter": {"term": {"wake_turbulence_category": "H"}},
                }
            },
        },
    )
    _show_aircraft(scene, answer)
    first = _first(answer)
    if first["manufacturer"] != "BOEING" or "747" not in first["model"]:
        raise Failed(f"a search for a heavy Boeing 747 found {first['model']} first")


def _misspelled(scene: Scene) -> None:
    answer = _search(
        scene,
        "icao_aircraft",
        "“cesna skyhauk”, spelled as heard",
        {
            "query": {
                "multi_match": {
                    "query": "cesna skyhauk",
                    "type": "most_fields",
                    "fuzziness": "AUTO",
                    "fields": ["manufacturer", "model"],
                }
            },
        },
    )
    _show_aircraft(scene, answer)
    first = _first(answer)
    if first["manufacturer"] != "CESSNA" or "Skyhawk" not in first["model"]:
        raise Failed(f"a misspelled search for a Cessna Skyhawk found {first['model']} first")


def _faceted(scene: Scene) -> None:
    low, high = 100, 400
    answer = _search(
        scene,
        "products",
        f"“headset” from {low} to {high}, by brand",
        {
            "query": {
                "bool": {
                    "must": {
                        "multi_match": {"query": "headset", "fields": ["name^3", "description"]}
                    },
                    "filter": {"range": {"price": {"gte": low, "lte": high}}},
                }
            },
            "aggs": {"brands": {"terms": {"field": "brand"}}},
        },
    )
    rows = [
        (hit["name"], hit["brand"], f"{hit['price']:,.2f}", "yes" if hit["in_stock"] else "no")
        for hit in _sources(answer)
    ]
    scene.screen.table(["name", "brand", "price", "in stock"], rows)
    brands = answer["aggregations"]["brands"]["buckets"]
    scene.screen.say("brands: " + " · ".join(f"{b['key']} {b['doc_count']}" for b in brands))
    if not all(low <= hit["price"] <= high for hit in _sources(answer)):
        raise Failed(f"a search for headsets from {low} to {high} found another price")
    if _first(answer)["category"] != "headsets":
        raise Failed(f"a search for headsets found {_first(answer)['name']} first")


def _search(scene: Scene, alias: str, title: str, body: dict[str, Any]) -> Any:
    answer = scene.documents.search(alias, {"size": _HITS, "track_total_hits": True, **body})
    total, took = int(answer["hits"]["total"]["value"]), int(answer["took"])
    scene.screen.say(f"{title}: {total} found in {took} ms")
    if total == 0:
        raise Failed(f"the search for {title} found nothing")
    return answer


def _show_aircraft(scene: Scene, answer: Any) -> None:
    rows = [
        (
            hit["type_designator"],
            hit["manufacturer"],
            hit["model"],
            f"{hit['engine_count']} {hit['engine_type']}",
            hit["wake_turbulence_category"],
        )
        for hit in _sources(answer)
    ]
    scene.screen.table(["type", "manufacturer", "model", "engines", "wake"], rows)


def _sources(answer: Any) -> list[Any]:
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def _first(answer: Any) -> Any:
    return _sources(answer)[0]
