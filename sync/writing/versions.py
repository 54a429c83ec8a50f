"""Versions order the writes of one document in sinks that store them (OpenSearch external_gte).

The version of a resync is the time in nanoseconds at which it began to read; that of a stream
record is on the same scale. Of several records of one item in a batch the last is written, with a
version above theirs all.
tests/proofs/ shows over every interleaving of a small history that each rule is needed.
"""

SECOND = 10**9  # of versions: nanoseconds, or a sequence number's last nine digits
HIGHEST = 2**63 - 1  # OpenSearch stores a version as a signed 64-bit integer


def stream_version(created_s: int, sequence_number: int) -> int:
    """The version of a stream record: its second, then its sequence number's last nine digits.

    The creation time alone has whole seconds (DynamoDB guide, Streams) and cannot order two writes
    of one second. The sequence number can, but has up to 40 digits, and a version only 19.
    """
    return created_s * SECOND + sequence_number % SECOND
