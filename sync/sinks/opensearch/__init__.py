"""The OpenSearch sink; read it from sink.py.

sink      ops → bulk requests → outcomes: chunks, halves, tries again
answers   what an answer means, for one op and for a whole request
client    the connection: compressed, signed; imported by the first write
settings  environment variables
mapping   the index body of the models that feed an alias
indexes   making an alias and the index behind it
"""

from sync.sinks.opensearch.sink import OpenSearch

__all__ = ["OpenSearch"]
