"""Shadows: a second place for the documents of a target, while it is reindexed.

    target           the alias that readers use and that ops name: products → products-v1
    target-shadow    there during a reindex only; each write goes to both: products-shadow → -v2

Swapping the aliases lets readers see what is new, and keeps the old place up to date for a way
back. Whether a place is the next one or the previous one follows from its number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from sync.errors import Refused
from sync.runtime.deadline import Deadline
from sync.writing.op import Done, Op, Result

SHADOW: Final = "-shadow"  # after the name of a target, which must not end so itself
_NUMBER: Final = re.compile(r"[-_]v(\d+)")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the documents of a target are: the index or collection behind each of its aliases."""

    live: str | None  # what readers see; None: the target is not made yet
    shadow: str | None  # None: the target is not being reindexed

    @property
    def is_swapped(self) -> bool:
        """Whether the shadow is the previous place, not the next."""
        return (
            self.live is not None and self.shadow is not None and precedes(self.shadow, self.live)
        )


@runtime_checkable
class Reindexable(Protocol):
    """A sink whose targets can have shadows. Every method raises Retry."""

    def places(self, target: str) -> Places: ...

    def shadow(self, target: str, schema: Mapping[str, Any], deadline: Deadline) -> Places:
        """Give *target* a shadow with *schema*, unless it has one.

        Every write that begins after this returns goes to the shadow, too. Raises Misconfigured if
        the shadow that there is has another schema.
        """
        ...

    def swap(self, target: str, live: str, deadline: Deadline) -> Places:
        """Let readers see the place *live*, and make the other one the shadow.

        Readers find one place or the other at any time. Every write that begins after this returns
        knows which one they see. What hangs on the place that they see comes
        with them. Changes nothing if they see *live* already. Raises Misconfigured if it is not a
        place of *target*.
        """
        ...

    def drop(self, target: str, shadow: str) -> Places:
        """Delete the place *shadow*. Raises Misconfigured if it is not the shadow of *target*."""
        ...


def number(place: str) -> int:
    """The number of an index or collection; 0 if it has none, as one that people made."""
    found = _NUMBER.fullmatch(place[max(place.rfind("-"), place.rfind("_")) :])
    return int(found[1]) if found else 0


def precedes(place: str, other: str) -> bool:
    """Whether *place* was made before *other*."""
    return number(place) < number(other)


def of_both(op: Op, live: Result, shadow: Result, places: Places) -> Result:
    """The result of *op*: that of the *live* place, or why the next place lacks it.

    Nobody misses what the previous place lacks; before it is swapped back it is compared.
    """
    if not isinstance(live, Done) or isinstance(shadow, Done) or places.is_swapped:
        return live
    text = f"{places.shadow}, which is to become {op.target}: {shadow}"
    if isinstance(shadow, Refused):
        return Refused(text)
    return type(shadow)(text, of_target=True)
