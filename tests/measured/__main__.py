"""`python -m tests.measured` writes what was measured into docs/proof.md. `python -m tests.measured
reach` measures what the simulated histories reach."""

import sys

if sys.argv[1:2] == ["reach"]:
    from tests.measured import reach

    sys.exit(reach.main(sys.argv[2:]))

from tests.measured.figures import PAGE, page

PAGE.write_text(page(PAGE.read_text()))
print(f"wrote the figures of {PAGE.name}")
