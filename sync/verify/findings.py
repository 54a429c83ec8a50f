"""What verify finds."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sync.aws.keys import Source
from sync.errors import Retry
from sync.writing.comparing import Differs
from sync.writing.op import Address


@dataclass(frozen=True, slots=True)
class Suspect:
    """A document that differed at one look.

    *sources*: the items that may ask for it; none if its id names no key. *states*: how each of
    them was at that look (sync/recovery/state.py).
    """

    address: Address
    sources: tuple[Source, ...]
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that differs from what its item asks for, and did so at two looks.

    *source*: the item, whose resync mends it; None: the id names no key of any model, so a person
    has to decide on the document.
    """

    address: Address
    differs: Differs
    source: Source | None


@dataclass(slots=True)
class Page:
    """What one page found, and where the *next* one starts; None: this was the last."""

    items: int = 0  # looked at
    documents: int = 0  # looked at in sinks
    compared: Counter[str] = field(default_factory=Counter)  # by sink, from both sides
    differences: list[Difference] = field(default_factory=list)
    busy: int = 0  # documents that may differ: their items changed between any two looks
    invalid: int = 0  # items that their models refuse: nothing says what a sink should hold
    untraced: int = 0  # documents whose ids say nothing of a key, and may still be right
    unread: dict[str, Retry] = field(default_factory=dict)  # by sink that can't be read, why
    next: Any = None
