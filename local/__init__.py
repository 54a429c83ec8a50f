"""The service on one machine, with an AWS emulator and real search servers, without Docker.

cli, stack   `python -m local`, and the stack that it starts
servers      the servers of the stack
downloads    what they need from package registries
package      the zip that is deployed; deploy does it
delivery     Lambda's rules for streams, which the emulator ignores
demo, data   `make demo`, and the items that it writes
checker      compares the tables with what was made of them
"""

import sync  # noqa: F401 - it says so if this Python is too old
