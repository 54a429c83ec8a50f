"""What could not be written: kept, shown, and brought in line once its cause is mended.

    letter → topic → queue → consumer → row → replay (a resync of its keys)

letters       a letter, and publishing it
consumer      messages of the dead-letter queues → rows
rows          the rows that each kind of message becomes
table         the dead-letter table
bodies        what is too large for a row, in S3
stream_range  the records of a range that Lambda gave up on
replay        rows → resync
"""
