"""From ops to sinks: what both are, and how a write goes."""
