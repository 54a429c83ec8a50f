"""A deploy that refuses most of what comes must not leave ten million dead letters.

One document that can't be written is that document's fault. Where most are refused, a model or a
mapping is at fault, and somebody will mend it: then their keys are parked, and one alarm says so.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from sync.errors import Held, InvalidImage, ModelBug, Refused
from sync.recovery.letters import DeadLetter
from sync.runtime.log import logger
from sync.writing.metrics import Metrics
from sync.writing.op import Done, Outcome

WINDOW: Final = 200  # documents whose last answer is remembered
LEAST: Final = 20  # refused ones among them; fewer are single documents' fault
SHARE: Final = 0.5

Place = tuple[str | None, str]
"""What refuses: a sink and its target, or None and a model."""


class Brake:
    """One for each warm container: what it sees of a shard or a queue is enough to tell.

    It counts documents, not answers: one that is parked and tried again and again is one.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._answers: dict[Place, dict[str, bool]] = {}  # by id, oldest first: was it refused?

    def saw(self, sink: str, outcomes: Iterable[Outcome]) -> None:
        """Take note of what *sink* said of documents."""
        for op, result in outcomes:
            if isinstance(result, Refused):
                self._note((sink, op.target), op.id, refused=True)
            elif isinstance(result, Done) and self._answers:
                self._note((sink, op.target), op.id, refused=False)

    def read(self, model: str, id_: str, error: Exception | None = None) -> None:
        """Take note of whether *model* took the item with document id *id_*, or refused it with
        *error*."""
        if isinstance(error, InvalidImage | ModelBug):
            self._note((None, model), id_, refused=True)
        elif error is None and self._answers:
            self._note((None, model), id_, refused=False)

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

    def _note(self, place: Place, id_: str, *, refused: bool) -> None:
        if not refused and place not in self._answers:
            return  # what nothing was ever refused by need not be watched
        answers = self._answers.setdefault(place, {})
        answers.pop(id_, None)
        answers[id_] = refused
        if len(answers) > WINDOW:
            del answers[next(iter(answers))]

    def _reason(self, place: Place) -> Held | None:
        answers = self._answers.get(place, {})
        bad = sum(answers.values())
        if bad < LEAST or bad < SHARE * len(answers):
            return None
        sink, name = place
        who = f"{sink} {name}" if sink else f"the model {name}"
        return Held(
            f"{who} refused {bad} of the last {len(answers)} documents: parked, not a letter each"
        )

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
