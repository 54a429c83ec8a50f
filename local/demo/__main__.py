import sys

from local.demo.cli import main
from local.stack import Stack

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], lambda say: Stack(say=say)))
