"""`python -m tests.simulation --seeds 1-5000 --jobs 2`, or `--seed N --trace` for one of them."""

import sys

from tests.simulation.cli import main

sys.exit(main())
