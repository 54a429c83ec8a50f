"""One file per sink. A model names the sinks it feeds; nothing else does."""
