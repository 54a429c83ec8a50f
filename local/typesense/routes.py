"""Which request does what, and which action a key needs for it (typesense_server.cpp)."""

import re

from local.typesense.answers import (
    Answer,
    Refusal,
    answer,
    dump,
    flag,
    parse_object,
    text,
)
from local.typesense.api import Api, Call, Route
from local.typesense.collection import Collection, Import, pruned
from local.typesense.schema import Schema
from local.typesense.searching import search
from local.typesense.values import Action

VERSION = "30.0"
_LONGEST_QUERY = 4000  # bytes, of a search
_ALTERABLE = {"metadata", "fields", "synonym_sets", "curation_sets"}


def _create_collection(api: Api, call: Call) -> Answer:
    schema = Schema.from_json(parse_object(call.body))
    if schema.name in api.collections:
        raise Refusal(409, f"A collection with name `{schema.name}` already exists.")
    made = Collection(schema, lambda name, document: api.trap(name, document))
    api.collections[schema.name] = made
    return answer(made.summary(), 201)


def _list_collections(api: Api, call: Call) -> Answer:
    del call
    return answer([each.summary() for each in reversed(api.collections.values())])


def _get_collection(api: Api, call: Call) -> Answer:
    return answer(api.collection(call).summary())


def _alter_collection(api: Api, call: Call) -> Answer:
    changes = parse_object(call.body)
    if not changes:
        raise Refusal(400, "Alter payload is empty.")
    if not changes.keys() <= _ALTERABLE:
        raise Refusal(
            400, "Only `fields`, `metadata` and `synonym_sets` can be updated at the moment."
        )
    collection = api.collection(call)
    if "metadata" in changes:
        if not isinstance(changes["metadata"], dict):
            raise Refusal(400, "The `metadata` value should be an object.")
        collection.schema.metadata = changes["metadata"]
    if "fields" in changes:
        collection.alter(changes["fields"])
    return answer(changes)


def _drop_collection(api: Api, call: Call) -> Answer:
    try:
        collection = api.collection(call)
    except Refusal:
        name = call.params["collection"]
        raise Refusal(404, f"No collection with name `{name}` found.") from None
    del api.collections[collection.schema.name]  # aliases of it stay, and lead nowhere
    return answer(collection.summary())


def _action(call: Call) -> Action:
    try:
        return Action(call.params.get("action", "create"))
    except ValueError:
        raise Refusal(400, "Parameter `action` must be a create|update|upsert.") from None


def _write_document(api: Api, call: Call) -> Answer:
    action = _action(call)
    dirty = call.params.get("dirty_values", "")
    try:
        return answer(api.collection(call).write(call.body, action, dirty), 201)
    except Refusal as refusal:  # unlike other errors, these are quoted
        return answer({"message": refusal.message}, refusal.code)


def _get_document(api: Api, call: Call) -> Answer:
    return answer(pruned(api.collection(call).get(call.params["id"]), call.params))


def _update_document(api: Api, call: Call) -> Answer:
    dirty, named = call.params.get("dirty_values", ""), call.params["id"]
    collection = api.collection(call)
    return answer(collection.write(call.body, Action.UPDATE, dirty, document_id=named))


def _update_documents(api: Api, call: Call) -> Answer:
    if "filter_by" not in call.params:
        raise Refusal(400, "Parameter `filter_by` must be provided.")
    dirty = call.params.get("dirty_values", "")
    collection = api.collection(call)
    return answer(
        {"num_updated": collection.update_all(call.body, dirty, call.params["filter_by"])}
    )


def _delete_document(api: Api, call: Call) -> Answer:
    collection = api.collection(call)
    try:
        return answer(collection.remove(call.params["id"]))
    except Refusal:
        if flag(call.params, "ignore_not_found"):
            return answer({"id": call.params["id"]})
        raise


def _delete_documents(api: Api, call: Call) -> Answer:
    collection = api.collection(call)
    _positive(call, "batch_size", "1000000000")
    if flag(call.params, "truncate"):
        doomed = list(collection.documents())
    elif "filter_by" not in call.params:
        raise Refusal(400, "Parameter `filter_by` must be provided.")
    else:
        doomed = list(collection.documents(call.params["filter_by"]))
    for document in doomed:
        collection.remove(document["id"])
    return answer({"num_deleted": len(doomed)})


def _import(api: Api, call: Call) -> Answer:
    _positive(call, "batch_size", "40")
    action = _action(call)
    for name in ("return_doc", "return_id"):
        if call.params.get(name, "false") not in ("true", "false"):
            raise Refusal(400, f"Parameter `{name}` must be a true|false.")
    settings = Import(
        action,
        call.params.get("dirty_values", ""),
        flag(call.params, "return_doc"),
        flag(call.params, "return_id"),
    )
    return text(api.collection(call).import_lines(call.body, settings))


def _export(api: Api, call: Call) -> Answer:
    documents = api.collection(call).documents(call.params.get("filter_by", ""))
    return text("\n".join(dump(pruned(document, call.params)) for document in documents))


def _positive(call: Call, name: str, default: str) -> None:
    if not re.fullmatch(r"0*[1-9]\d*", call.params.get(name, default)):
        raise Refusal(400, f"Parameter `{name}` must be a positive integer.")


def _search(api: Api, call: Call) -> Answer:
    if len(call.query) + 1 > _LONGEST_QUERY:  # with its question mark
        raise Refusal(
            400,
            f"Query string exceeds max allowed length of {_LONGEST_QUERY}."
            " Use the /multi_search end-point for larger payloads.",
        )
    return answer(search(api.collection(call), call.params))


def _list_aliases(api: Api, call: Call) -> Answer:
    del call
    return answer({"aliases": [_alias(name, to) for name, to in api.aliases.items()]})


def _get_alias(api: Api, call: Call) -> Answer:
    return answer(_alias(call.params["alias"], _target(api, call)))


def _put_alias(api: Api, call: Call) -> Answer:
    name, json = call.params["alias"], parse_object(call.body)
    if "collection_name" not in json:
        raise Refusal(400, "Parameter `collection_name` is required.")
    if name in api.collections:
        raise Refusal(500, f"Name `{name}` conflicts with an existing collection name.")
    api.aliases[name] = str(json["collection_name"])  # which needn't exist
    return answer({**json, "name": name})


def _delete_alias(api: Api, call: Call) -> Answer:
    target = _target(api, call)
    del api.aliases[call.params["alias"]]
    return answer(_alias(call.params["alias"], target))


def _target(api: Api, call: Call) -> str:
    if call.params["alias"] not in api.aliases:
        raise Refusal(404, "Collection not found")
    return api.aliases[call.params["alias"]]


def _alias(name: str, target: str) -> dict[str, str]:
    return {"collection_name": target, "name": name}


def _create_key(api: Api, call: Call) -> Answer:
    return answer(api.keys.create(parse_object(call.body)).to_json(), 201)


def _list_keys(api: Api, call: Call) -> Answer:
    del call
    return answer({"keys": [key.shown() for key in api.keys.all()]})


def _get_key(api: Api, call: Call) -> Answer:
    return answer(api.keys.get(call.params["id"]).shown())


def _delete_key(api: Api, call: Call) -> Answer:
    return answer({"id": api.keys.remove(call.params["id"]).id})


def _health(api: Api, call: Call) -> Answer:
    del api, call
    return answer({"ok": True})


def _debug(api: Api, call: Call) -> Answer:
    del api, call
    return answer({"state": 1, "version": VERSION})


def _stats(api: Api, call: Call) -> Answer:
    del api, call
    return answer({"pending_write_batches": 0, "total_requests_per_second": 0.0})


def _metrics(api: Api, call: Call) -> Answer:
    del api, call
    return answer({"typesense_memory_active_bytes": "0"})


_DOCUMENTS = "/collections/:collection/documents"
ROUTES = (
    Route("POST", "/collections", "collections:create", _create_collection),
    Route("GET", "/collections", "collections:list", _list_collections),
    Route("GET", "/collections/:collection", "collections:get", _get_collection),
    Route("PATCH", "/collections/:collection", "collections:update", _alter_collection),
    Route("DELETE", "/collections/:collection", "collections:delete", _drop_collection),
    Route("GET", f"{_DOCUMENTS}/search", "documents:search", _search),
    Route("POST", f"{_DOCUMENTS}/import", "documents:import", _import),
    Route("GET", f"{_DOCUMENTS}/export", "documents:export", _export),
    Route("POST", _DOCUMENTS, "documents:create", _write_document),
    Route("PATCH", _DOCUMENTS, "documents:update", _update_documents),
    Route("DELETE", _DOCUMENTS, "documents:delete", _delete_documents),
    Route("GET", f"{_DOCUMENTS}/:id", "documents:get", _get_document),
    Route("PATCH", f"{_DOCUMENTS}/:id", "documents:update", _update_document),
    Route("DELETE", f"{_DOCUMENTS}/:id", "documents:delete", _delete_document),
    Route("GET", "/aliases", "aliases:list", _list_aliases),
    Route("GET", "/aliases/:alias", "aliases:get", _get_alias),
    Route("PUT", "/aliases/:alias", "aliases:upsert", _put_alias),
    Route("DELETE", "/aliases/:alias", "aliases:delete", _delete_alias),
    Route("GET", "/keys", "keys:list", _list_keys),
    Route("GET", "/keys/:id", "keys:get", _get_key),
    Route("POST", "/keys", "keys:create", _create_key),
    Route("DELETE", "/keys/:id", "keys:delete", _delete_key),
    Route("GET", "/health", "", _health),
    Route("GET", "/debug", "debug:list", _debug),
    Route("GET", "/stats.json", "stats.json:list", _stats),
    Route("GET", "/metrics.json", "metrics.json:list", _metrics),
)
