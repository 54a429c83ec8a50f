"""Waits until a sink has what the tables have, by asking it again and again."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from local.checker import Documents, Ref, differences
from local.demo.figures import Failed

QUIET_S: Final = 120.0  # without progress, until a wait is given up
_PAUSE_S: Final = 0.1
_NAMED: Final = 3  # documents in a message


class Counted(Protocol):
    """A search server that says how many documents it has."""

    def count(self, alias: str) -> int: ...


def settle(
    left: Callable[[], int],
    describe: Callable[[], str],
    *,
    quiet_s: float,
    pause_s: float | None = None,
) -> None:
    """Return once *left* says 0. Raises Failed with *describe* after *quiet_s* without progress."""
    fewest, since = left(), time.monotonic()
    while fewest > 0:
        time.sleep(_PAUSE_S if pause_s is None else pause_s)
        now_left = left()
        if now_left < fewest:
            fewest, since = now_left, time.monotonic()
        elif time.monotonic() - since > quiet_s:
            raise Failed(f"nothing has moved for {quiet_s:.0f} s: {describe()}")


def until_counts(
    documents: Counted,
    expected: Mapping[str, int],
    done: Callable[[int], None] = lambda _: None,
    *,
    quiet_s: float = QUIET_S,
) -> None:
    """Wait until each alias has as many documents as *expected*; *done* gets their sum."""
    counts: dict[str, int] = {}

    def left() -> int:
        counts.update((alias, documents.count(alias)) for alias in expected)
        done(sum(counts.values()))
        return sum(abs(count - counts[alias]) for alias, count in expected.items())

    def describe() -> str:
        return ", ".join(
            f"{alias} holds {counts[alias]:,} of {count:,} documents"
            for alias, count in expected.items()
            if counts[alias] != count
        )

    settle(left, describe, quiet_s=quiet_s)


def until_documents(
    documents: Documents,
    wanted: Iterable[tuple[Ref, Any]],
    done: Callable[[int], None] = lambda _: None,
    *,
    quiet_s: float = QUIET_S,
) -> None:
    """Wait until a search finds every document of *wanted*; of two with one address, the last."""
    pending = dict(wanted)
    total = len(pending)
    why: dict[Ref, str] = {}

    def left() -> int:
        found = documents.get(pending)
        for ref, expected in list(pending.items()):
            if trouble := _trouble(expected, found.get(ref)):
                why[ref] = trouble
            else:
                del pending[ref]
        done(total - len(pending))
        return len(pending)

    def describe() -> str:
        some = "; ".join(f"{ref}: {why[ref]}" for ref in list(pending)[:_NAMED])
        return f"{len(pending):,} documents are not as their items, such as {some}"

    settle(left, describe, quiet_s=quiet_s)


def _trouble(expected: Any, found: Any) -> str:
    if expected is None:
        return "" if found is None else "still there"
    if found is None:
        return "missing"
    return "; ".join(differences(expected, found))
