"""Dead letters: stored, listed, and replayed once their cause is corrected.

    letter → SNS topic → SQS queue → consumer → row of the table → replay (a resync of its key)

consumer    messages of the dead-letter queues → rows
rows        builds the rows of each kind of message
row         a row, and merging another letter into it
table       the dead-letter table
replay      rows → resync
journal     notes of the keys that a person's call is writing
"""
