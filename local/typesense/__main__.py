"""`python -m local.typesense`: the stand-in as a process, until SIGTERM or Ctrl-C.

SIGUSR1 stops it as a server that is down, SIGUSR2 starts it again, with its documents.
"""

import argparse
import signal
import sys

from local.typesense.server import TypesenseServer


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.typesense", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--port", type=int, default=0, help="0, the default: a free one")
    parser.add_argument("--api-key", default="local", help="the key that may do everything")
    options = parser.parse_args()
    numbers = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)  # they are waited for, here and in no thread
    try:
        with TypesenseServer(port=options.port, api_key=options.api_key) as server:
            print(f"Typesense stand-in on {server.url}", flush=True)
            while (number := signal.sigwait(numbers)) in (signal.SIGUSR1, signal.SIGUSR2):
                if number == signal.SIGUSR1:
                    server.stop()
                else:
                    server.start()
    except OSError as error:
        print(f"can't listen on 127.0.0.1:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
