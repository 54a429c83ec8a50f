"""The stack on one machine: an AWS emulator and a real OpenSearch, on loopback, without Docker."""
