"""Lanes: a FIFO queue between the stream and a sink, for sinks with the class attribute `lanes`.

    op → Sender → message → queue → LaneWorker → sink

A lane is a message group of the queue: SQS delivers its messages in order.

messages    actions, many in a message, and their JSON
sender      ops → messages of an SQS FIFO queue
worker      messages → the last action of each document → write → settle
"""
