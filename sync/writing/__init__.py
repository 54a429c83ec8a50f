"""Writing ops to sinks: their types, fan-out, circuit breakers, health and metrics."""
