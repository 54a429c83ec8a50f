"""Fingerprints of items: has an item changed since its dead letter was written?"""

import hashlib
import json
from typing import Any, Final

from sync.aws.keys import AttributeMap

GONE: Final = "gone"


def state_of(item: AttributeMap | None) -> str:
    """A hash that is equal for equal items; "gone" if *item* is None. Raises RecursionError."""
    if item is None:
        return GONE
    text = json.dumps(_ordered({"M": item}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def state_in(record: Any) -> str | None:
    """The state of the item in a dead letter's body: a stream record (its new image), or an object
    with the `item` that a worker read. None if *record* is neither."""
    if not isinstance(record, dict):
        return None
    body = record.get("dynamodb")
    if isinstance(body, dict):
        image = None if record.get("eventName") == "REMOVE" else body.get("NewImage")
    elif "item" in record:
        image = record["item"]
    else:
        return None
    try:
        return state_of(image) if isinstance(image, dict | None) else None
    except (RecursionError, TypeError):
        return None


def _ordered(av: Any) -> Any:
    """*av* with its sets sorted: the stream and GetItem may list the members in any order."""
    if not isinstance(av, dict):
        return av
    found: dict[str, Any] = {}
    for tag, value in av.items():
        if tag == "M" and isinstance(value, dict):
            found[tag] = {name: _ordered(inner) for name, inner in value.items()}
        elif tag == "L" and isinstance(value, list):
            found[tag] = [_ordered(inner) for inner in value]
        elif tag in ("SS", "NS", "BS") and isinstance(value, list):
            found[tag] = sorted(value, key=repr)
        else:
            found[tag] = value
    return found
