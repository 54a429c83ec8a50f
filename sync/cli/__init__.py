"""The command line: payloads from arguments, and answers for people."""
