"""Bringing sinks in line with the table, outside the stream.

parking  keys that a sink could not have, on a queue, each with its time
resync   read, write, verify: the one way to recover
worker   messages of the queue → resync → what is left is parked again
"""
