"""What the local stack downloads: pinned by digests, and kept in a cache that clones share."""

from collections.abc import Callable

Say = Callable[[str], None]
"""Takes a line that tells a person about progress."""
