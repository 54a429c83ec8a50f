"""The service in a simulated world: seeded, deterministic, without sleeping or threads.

The project's own handler code runs unchanged; everything it calls is simulated at the boundary of
its clients. Read it from run.py.

run         one seed from start to verdict; `python -m tests.simulation` runs many
scenario    what a seed decides: settings, trouble, who takes part
writes      what the application writes
world       virtual time, and tasks that give way to one another at each simulated call
calls       a call over a network, and the faults that can befall it
functions   Lambda functions: containers with clocks of their own, timeouts, kills
mappings    what invokes them: streams (by the rules of local/delivery), queues
table, stream, queues, topic, opensearch, typesense, plain    the services
aws, dynamodb, expressions, transactions    their clients, as boto3 has them
models      what is in the tables, and what is expected of it in the sinks
invariants  what has to hold in the end; derived: … of counters and default images
letters     … of dead letters, and which of them explains a difference
effort      what it may cost at most: calls, tries, time to come to rest; each bound with its reason
isolation   while one sink or index is down, the others are in time
planted     bugs, each of which the simulation has to catch; planted_sinks: those of single sinks
"""
