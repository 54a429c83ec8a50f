"""`python -m local`: the local stack, for people."""

import sys

from sync.cli.front import run

if __name__ == "__main__":
    sys.exit(run("local.cli"))
