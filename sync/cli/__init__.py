"""The command line: makes payloads from arguments, and draws answers for people."""
