"""The golden files, and the functions that build them."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from tests.golden import command_line, commands, documents, letters, queues, running
from tests.golden.plain import Json

# Built in this order: some read the files of others.
SUBJECTS: Final[Mapping[str, Callable[[], Json]]] = {
    "documents": documents.documents,
    "ids": documents.ids,
    "requests": documents.requests,
    "derived": documents.derived,
    "parked": queues.parked,
    "parked_read": queues.parked_read,
    "lanes": queues.lanes,
    "lanes_read": queues.lanes_read,
    "lanes_of_documents": queues.lanes_of_documents,
    "letters": letters.letters,
    "states": letters.states,
    "rows": letters.rows,
    "resolved": letters.resolved,
    "commands": commands.commands,
    "command_line": command_line.command_line,
    "settings": running.settings,
    "events": running.events,
    "state": running.state,
    "logs": running.logs,
}
# More names may come here: a new flag or log field breaks nobody.
GROWS: Final = frozenset({"commands", "command_line", "logs"})


def build(name: str) -> Json:
    """The content of the golden file *name*, as the code of today makes it."""
    return json.loads(json.dumps(SUBJECTS[name]()))
