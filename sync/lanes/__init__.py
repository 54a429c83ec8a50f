"""A FIFO queue before a sink, for one that asks for it by its class attribute `lanes`.

    op → Sender → message of a lane → LaneWorker → the sink itself

messages  actions, many to a message, and how they are written in JSON
sender    ops → messages of an SQS FIFO queue
worker    messages → the last action of each document → outcomes → settled
"""
