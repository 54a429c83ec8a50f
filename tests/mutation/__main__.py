"""`python -m tests.mutation FILE…`: measures these files; without one, all that are held to it."""

import sys

from tests.mutation.cli import main

sys.exit(main())
