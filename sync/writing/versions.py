"""The number that orders the writes of one id, in sinks that keep one (OpenSearch external_gte).

Proved together with resync over every interleaving of a small history; each rule below is needed.
"""

SECOND = 10**9  # nanoseconds in a second, and room for the sequence number's last nine digits
HIGHEST = 2**63 - 1  # OpenSearch keeps a version in a signed 64-bit long


def stream_version(created_s: int, sequence_number: int) -> int:
    """The version of a stream record.

    Its creation time has whole seconds and is approximate (DynamoDB guide, Streams), so it can't
    order two writes of one second; the sequence number can, but has up to 40 digits where a
    version has 19. So: the second, then the sequence number's last nine digits.
    """
    return created_s * SECOND + sequence_number % SECOND
