"""`python -m tests.proof`: writes what was measured into docs/proof.md. `python -m tests.proof
reach` measures what the simulated histories reach."""

import sys

if sys.argv[1:2] == ["reach"]:
    from tests.proof import reach

    sys.exit(reach.main(sys.argv[2:]))

from tests.proof.figures import PAGE, page

PAGE.write_text(page(PAGE.read_text()))
print(f"wrote the figures of {PAGE.name}")
