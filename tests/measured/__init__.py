"""What docs/proof.md says, measured.

    python -m tests.measured

The measuring commands, which that page lists, keep what they found as JSON in this folder. This one
writes it into the page as tables.
"""
