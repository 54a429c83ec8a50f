"""A stand-in for Typesense 30 on 127.0.0.1, since the real server can't be installed everywhere.

What it answers (texts, codes, the shape of each line) follows the server's sources as of
typesense/typesense 4a092b0; where a source file settles a rule, the rule names it. It keeps
everything in memory, ranks searches only roughly, and refuses what it can't do: grouping, vectors,
joins, synonyms, curation, geo fields and scoped search keys.
"""

from local.typesense.server import TypesenseServer

__all__ = ["TypesenseServer"]
