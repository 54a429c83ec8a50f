"""`python -m tests.golden`: writes the golden files anew."""

from tests.golden import FOLDER, as_text, path
from tests.golden.files import SUBJECTS, build

for file in FOLDER.glob("*.json"):
    if file.stem not in SUBJECTS:
        file.unlink()
for name in SUBJECTS:
    path(name).write_text(as_text(build(name)))
print(f"{len(SUBJECTS)} files in {FOLDER}")
