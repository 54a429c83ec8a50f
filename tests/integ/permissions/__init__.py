"""Whether each role lets its function do what it does, and nothing else (docs/security.md).

What functions ask for is recorded (`tests/asked`), what Lambda asks for in their name is listed
(`lambdas.py`), and a simulator of IAM answers (`simulate.mjs`).
"""
