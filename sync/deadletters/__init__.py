"""What could not be written: kept, shown, and brought in line once its cause is mended.

    letter → topic → queue → consumer → row → replay (a resync of its keys)

letters       a letter, and publishing it
consumer      messages of the dead-letter queues → rows
rows          the rows that each kind of message becomes
row           a row, and what another letter makes of it
table         the dead-letter table
bodies        what is too large for a row, in S3
state         what an item was when it failed
text          JSON of whatever it may be
replay        rows → resync
journal       notes of what a person's call is writing
"""
