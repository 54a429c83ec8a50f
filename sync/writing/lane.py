"""How a sink declares that it is written to through a FIFO queue, in ordered lanes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from sync.writing.op import Op


@dataclass(frozen=True, slots=True)
class Lanes:
    """The class attribute `lanes` of a sink; sync/lanes/ implements it.

    *queue_url* and *dead_letter_queue_url* name environment variables: the FIFO queue between the
    stream and the sink, and its FIFO dead-letter queue. *of* returns an op's lane, its FIFO message
    group: the ops of a lane are applied in the order in which they were sent.
    """

    queue_url: str
    dead_letter_queue_url: str
    of: Callable[[Op], str]


def by_document(count: int) -> Callable[[Op], str]:
    """Assigns each document to one of *count* lanes by a hash of its target and id.

    The hash is the same in every process and release. A change of *count* moves documents to other
    lanes, where new ops can overtake queued ones: the queue has to be empty at that time.
    """

    def lane_of(op: Op) -> str:
        name = f"{op.target}\0{op.id}".encode(errors="surrogatepass")
        digest = hashlib.blake2b(name, digest_size=4).digest()
        return str(int.from_bytes(digest) % count)

    return lane_of
