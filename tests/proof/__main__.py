"""`python -m tests.proof`: writes what was measured into docs/proof.md."""

from tests.proof.figures import PAGE, page

PAGE.write_text(page(PAGE.read_text()))
print(f"wrote the figures of {PAGE.name}")
