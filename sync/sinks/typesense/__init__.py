"""The Typesense sinks: a queue that the stream writes to, and its worker that writes on.

    op → Typesense → message of a lane → TypesenseWorker → TypesenseDirect → documents/import

queue     ops → messages of an SQS FIFO queue, one lane for each document
messages  an action, a message of actions, and how they stand in JSON
worker    messages → the last action of each document → outcomes → parked, quarantined or done
sink      ops → imports and deletes → outcomes: chunks, tries again
answers   what an answer means, for one document and for a whole request
documents a document as Typesense is sent it, and as it is read back
client    the connection, through the official client; imported by the first write
settings  environment variables
schema    the collection of the models that feed an alias
aliases   making an alias and the collection behind it
"""

from sync.sinks.typesense.queue import Typesense
from sync.sinks.typesense.sink import TypesenseDirect

__all__ = ["Typesense", "TypesenseDirect"]
