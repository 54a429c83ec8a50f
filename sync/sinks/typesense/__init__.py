"""The Typesense sink. The stream writes to it through lanes (sync/lanes/).

    op → documents/import or delete → outcome

sink      ops → imports and deletes → outcomes: chunks, halves, retries
answers   what an answer means for one document, and for a whole request
documents how documents are encoded for Typesense, and decoded
client    the connection, through the official client; imported by the first write
settings  environment variables
schema    the collection of the models that feed an alias
aliases   creates an alias and the collection behind it
"""

from sync.sinks.typesense.sink import Typesense

__all__ = ["Typesense"]
