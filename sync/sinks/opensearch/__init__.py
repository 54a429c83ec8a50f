"""The OpenSearch sink; read it from sink.py.

sink      ops → bulk requests → outcomes: chunks, halves, retries
answers   what an answer means for one op, and for a whole request
advice    what a person can do about a document that is refused
client    the connection: compresses, signs; imported by the first write
settings  environment variables
mapping   the index body of the models that feed an alias
indexes   creates an alias and the index behind it
"""

from sync.sinks.opensearch.sink import OpenSearch

__all__ = ["OpenSearch"]
