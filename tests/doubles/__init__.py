"""What stands in, within this process, for AWS, queues, tables and sinks."""
