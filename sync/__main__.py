"""`python -m sync`: the commands of `sls invoke`, for people."""

import sys

from sync.cli.front import run

if __name__ == "__main__":
    sys.exit(run("sync.cli.main"))
