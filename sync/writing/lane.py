"""How a sink asks to be written to through a FIFO queue: in lanes, each of which keeps order."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from sync.writing.op import Op


@dataclass(frozen=True, slots=True)
class Lanes:
    """What a sink's class attribute `lanes` says. sync/lanes/ does the rest.

    *queue_url* and *dead_letter_queue_url* name environment variables: the FIFO queue between the
    stream and the sink, and the FIFO queue that takes the messages which failed too often. *of*
    gives an op's lane, which is its FIFO message group: ops of one lane are applied in the order
    in which they were sent.
    """

    queue_url: str
    dead_letter_queue_url: str
    of: Callable[[Op], str]


def by_document(count: int) -> Callable[[Op], str]:
    """One of *count* lanes, by a hash of the document: the same in every process and release.

    Another *count* sends a document's ops down another lane, where they can overtake those under
    way: the queue has to be empty when it changes.
    """

    def lane_of(op: Op) -> str:
        name = f"{op.target}\0{op.id}".encode(errors="surrogatepass")
        digest = hashlib.blake2b(name, digest_size=4).digest()
        return str(int.from_bytes(digest) % count)

    return lane_of
