"""A deploy that refuses most of what comes must not leave ten million dead letters.

One document that can't be written is that document's fault. Where most are refused, a model or a
mapping is at fault, and somebody will mend it: then their keys are parked, and one alarm says so.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Final

from sync.deadletters.letters import DeadLetter
from sync.errors import Held, InvalidImage, ModelBug, Refused
from sync.log import logger
from sync.metrics import Metrics
from sync.ops import Done, Outcome

WINDOW: Final = 200  # answers that are remembered
LEAST: Final = 20  # refusals among them; fewer are single documents'
SHARE: Final = 0.5

Place = tuple[str | None, str]
"""What refuses: a sink and its target, or None and a model."""


class Brake:
    """One for each warm container: what it sees of a shard or a queue is enough to tell."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._answers: dict[Place, deque[bool]] = {}  # whether it was refused

    def saw(self, sink: str, outcomes: Iterable[Outcome]) -> None:
        """Take note of what *sink* said of documents."""
        for op, result in outcomes:
            if isinstance(result, Refused):
                self._note((sink, op.target), refused=True)
            elif isinstance(result, Done) and self._answers:
                self._note((sink, op.target), refused=False)

    def read(self, model: str, error: Exception | None = None) -> None:
        """Take note of whether *model* took an item, or refused it with *error*."""
        if isinstance(error, InvalidImage | ModelBug):
            self._note((None, model), refused=True)
        elif error is None and self._answers:
            self._note((None, model), refused=False)

    def sift(
        self, letters: Sequence[DeadLetter]
    ) -> tuple[list[DeadLetter], list[tuple[DeadLetter, Held]]]:
        """Those of *letters* that are to be dead letters, and those whose keys are to be parked
        instead, with the reason."""
        kept: list[DeadLetter] = []
        held: list[tuple[DeadLetter, Held]] = []
        reasons: dict[Place, Held | None] = {}
        for letter in letters:
            place = _place(letter)
            if place is None or letter.keys is None:
                kept.append(letter)
                continue
            if place not in reasons:
                reasons[place] = self._reason(place)
            if (reason := reasons[place]) is None:
                kept.append(letter)
            else:
                held.append((letter, reason))
        self._tell(held)
        return kept, held

    def _note(self, place: Place, *, refused: bool) -> None:
        if place in self._answers:
            self._answers[place].append(refused)
        elif refused:  # what nothing was ever refused by need not be watched
            self._answers[place] = deque([True], maxlen=WINDOW)

    def _reason(self, place: Place) -> Held | None:
        answers = self._answers.get(place, ())
        bad = sum(answers)
        if bad < LEAST or bad < SHARE * len(answers):
            return None
        sink, name = place
        who = f"{sink} {name}" if sink else f"the model {name}"
        return Held(f"{who} refused {bad} of the last {len(answers)}: parked, not a letter each")

    def _tell(self, held: Sequence[tuple[DeadLetter, Held]]) -> None:
        counts = Counter((letter.sink, str(reason)) for letter, reason in held)
        for (sink, reason), count in counts.items():
            logger.error("the brake is on: %s", reason, extra={"sink": sink, "count": count})
        self._metrics.count(None, "held", len(held))


def _place(letter: DeadLetter) -> Place | None:
    if isinstance(letter.error, Refused) and letter.sink is not None:
        return letter.sink, letter.target or ""
    if isinstance(letter.error, InvalidImage | ModelBug) and letter.error.model is not None:
        return None, letter.error.model
    return None
