"""Mutation testing: small bugs are put into the code one at a time, and a test has to fail.

    python -m tests.mutation sync/stream/dispatch.py

mutmut makes the mutants and runs, for each, the unit tests that call the changed function. What
survives them meets the simulation. What survives that too has to stand in survivors.json, with the
reason why nobody could see it (docs/adr/0016).
"""
