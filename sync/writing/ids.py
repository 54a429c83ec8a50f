"""Document ids: made from an item's keys, and checked by sinks."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from sync.aws.attributes import key_text
from sync.aws.keys import AttributeMap, keys_in
from sync.errors import RecordError, Refused

MAX_ID_BYTES = 512  # OpenSearch refuses the whole bulk request over one longer id
_HASH = re.compile(r"[0-9a-f]{64}")


def document_id(keys: AttributeMap, names: Sequence[str]) -> str:
    """The percent-encoded values of *keys* joined by `|`; over 512 bytes, its SHA-256 in hex.

    The values are in the order of *names*: partition key, sort key. Equal keys give equal ids, as
    numbers are written in plain decimal. Raises RecordError if *keys* lacks one of *names*.
    """
    try:
        texts = [key_text(keys[name]) for name in names]
    except KeyError as missing:
        raise RecordError(f"the key attribute {missing} is missing") from None
    joined = "|".join([quote(text, safe="") for text in texts])
    if len(joined) > MAX_ID_BYTES:  # percent-encoded, so one character is one byte
        return hashlib.sha256(joined.encode()).hexdigest()
    return joined


def keys_from(id_: str, types: Mapping[str, str]) -> AttributeMap | None:
    """The keys from which `document_id` makes *id_*; None if there are none, or it is their hash.

    *types*: S, N or B for each key attribute, partition key first.
    """
    parts = id_.split("|")
    if len(parts) != len(types):
        return None
    try:
        texts = [unquote(part, errors="strict") for part in parts]
        keys = keys_in(
            {n: {tag: text} for (n, tag), text in zip(types.items(), texts, strict=True)}
        )
        return keys if keys and document_id(keys, list(types)) == id_ else None
    except (UnicodeDecodeError, RecordError):
        return None


def is_hash(id_: str) -> bool:
    """Whether *id_* may be the hash of keys that are too long for an id. It may also be a key."""
    return _HASH.fullmatch(id_) is not None


def check_id(document_id: str) -> None:
    """Raises Refused for an id that is empty, longer than MAX_ID_BYTES, or has no UTF-8 form.

    For sinks: ops may have ids that `document_id` did not make.
    """
    try:
        id_bytes = len(document_id.encode())
    except UnicodeEncodeError as error:
        raise Refused("the id holds half of a surrogate pair, so it has no UTF-8 form") from error
    if not 1 <= id_bytes <= MAX_ID_BYTES:
        raise Refused(f"the id has {id_bytes} bytes, not 1 to {MAX_ID_BYTES}")
