"""The id of the document that an item becomes."""

import hashlib
from collections.abc import Sequence
from urllib.parse import quote

from sync.aws.attributes import key_text
from sync.aws.keys import AttributeMap
from sync.errors import RecordError

MAX_ID_BYTES = 512  # OpenSearch refuses the whole bulk request over one longer id


def document_id(keys: AttributeMap, names: Sequence[str]) -> str:
    """Percent-encoded hash and range keys joined by `|`; over 512 bytes, their SHA-256 in hex.

    *names* gives the order, since a stream record's keys come in any. Equal keys give equal ids:
    numbers are written in plain decimal, never with an exponent. Raises RecordError where *keys*
    lacks one of *names*.
    """
    try:
        texts = [key_text(keys[name]) for name in names]
    except KeyError as missing:
        raise RecordError(f"the key attribute {missing} is missing") from None
    joined = "|".join([quote(text, safe="") for text in texts])
    if len(joined) > MAX_ID_BYTES:  # percent-encoded, so one character is one byte
        return hashlib.sha256(joined.encode()).hexdigest()
    return joined
