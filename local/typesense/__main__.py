"""`python -m local.typesense`: the stand-in as a process, until SIGTERM or Ctrl-C."""

import argparse
import signal
import sys
import threading

from local.typesense.server import TypesenseServer


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.typesense", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default: a free one")
    parser.add_argument("--api-key", default="local", help="the key that may do everything")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with TypesenseServer(port=options.port, api_key=options.api_key) as server:
            print(f"Typesense stand-in on {server.url}", flush=True)
            ended.wait()
    except OSError as error:
        print(f"can't listen on 127.0.0.1:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
