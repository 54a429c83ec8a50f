"""Runs: long work over whole tables, done by messages that follow one another.

    start → a message for each segment → pages until the time is up → the next message → …

A segment is a part of a table's scan. Its row (rows.py) keeps how far it is; worker.py handles the
messages, and says how a chain of them survives crashes and duplicates; control.py starts, pauses,
resumes and cancels. What is done with a page is up to the run's kind (worker.Kind), such as
backfill.py.
"""
