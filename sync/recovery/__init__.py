"""Recovery: what becomes of a key whose write failed, and how its sinks are brought up to date.

    write fails → settle → parked → resync queue → worker → resync
                         → dead letter

settle     decides: parked, dead letter, or delivered again
parking    sends keys to the resync queue
worker     messages of the resync queue → resync → settle
resync     reads items, writes what they say, verifies: the one way to recover
by_hand    resyncs that a person starts
tables     scans the keys of a table
letters    builds and publishes dead letters
brake      parks keys instead of writing thousands of dead letters
bodies     large bodies, in S3
state      fingerprints of items
"""
