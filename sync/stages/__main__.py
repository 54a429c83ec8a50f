"""`python -m sync.stages STAGE`: prints what serverless.yml takes from `stages/{STAGE}.yml`."""

import json
import sys

from sync.errors import ConfigError
from sync.stages.files import folder, path_of, read
from sync.stages.template import template


def main() -> int:
    """0: printed as JSON. 1: a fault of the file, on stderr."""
    (stage,) = sys.argv[1:]
    path = path_of(stage, folder())
    try:
        print(json.dumps(template(read(path))))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
