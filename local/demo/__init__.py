"""`make demo`: steps on the local stack that each check something, and the figures they give.

cli, story   the command, and the steps in their order
scene        what every step works with; figures and screen show the results
tables       writes items; letters handles dead letters; settle, agreement wait for sinks
latency, searches, typesense, poison, churn, outage   the longer steps
"""
