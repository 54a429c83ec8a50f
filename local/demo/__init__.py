"""What `make demo` tells once the local stack is up, and the figures it leaves behind."""
