"""The brake: parks keys instead of writing a dead letter for each, if most documents are refused.

A single refused document has a fault of its own and becomes a dead letter. If most documents are
refused, the model or the mapping is wrong, for instance after a deploy, and will be corrected. Then
millions of dead letters would help nobody: the keys are parked, and one alarm rings.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from sync.errors import Held, InvalidImage, ModelBug, Refused
from sync.recovery.letters import DeadLetter
from sync.runtime.log import logger
from sync.writing.metrics import Metrics
from sync.writing.op import Done, Outcome

WINDOW: Final = 200  # documents whose last result is remembered, for each place
LEAST: Final = 20  # refused documents in the window; with fewer the brake stays off
SHARE: Final = 0.5  # of the window that has to be refused as well

Place = tuple[str | None, str]
"""What refuses documents: (sink, target), or (None, name of a model)."""


class Brake:
    """Remembers which of the last documents were refused. One for each warm container.

    It counts documents, not attempts: a document that is refused at every retry counts once.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # By document id, the oldest first: whether the document was refused.
        self._results: dict[Place, dict[str, bool]] = {}

    def saw(self, sink: str, outcomes: Iterable[Outcome]) -> None:
        """Remember which documents *sink* refused and which it took."""
        for op, result in outcomes:
            if isinstance(result, Refused):
                self._note((sink, op.target), op.id, refused=True)
            elif isinstance(result, Done) and self._results:
                self._note((sink, op.target), op.id, refused=False)

    def read(self, model: str, id_: str, error: Exception | None = None) -> None:
        """Remember whether *model* accepted the item of document *id_*; *error*: why it did not."""
        if isinstance(error, InvalidImage | ModelBug):
            self._note((None, model), id_, refused=True)
        elif error is None and self._results:
            self._note((None, model), id_, refused=False)

    def sift(
        self, letters: Sequence[DeadLetter]
    ) -> tuple[list[DeadLetter], list[tuple[DeadLetter, Held]]]:
        """Split *letters*: those to publish, and those whose keys are to be parked instead, each
        with the reason."""
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
        self._report(held)
        return kept, held

    def _note(self, place: Place, id_: str, *, refused: bool) -> None:
        if not refused and place not in self._results:
            return  # successes count only after a first refusal
        results = self._results.setdefault(place, {})
        results.pop(id_, None)
        results[id_] = refused
        if len(results) > WINDOW:
            del results[next(iter(results))]

    def _reason(self, place: Place) -> Held | None:
        """Why letters of *place* are to be parked; None while the brake is off."""
        results = self._results.get(place, {})
        bad = sum(results.values())
        if bad < LEAST or bad < SHARE * len(results):
            return None
        sink, name = place
        who = f"{sink} {name}" if sink else f"the model {name}"
        return Held(
            f"{who} refused {bad} of the last {len(results)} documents: parked, not a letter each"
        )

    def _report(self, held: Sequence[tuple[DeadLetter, Held]]) -> None:
        counts = Counter((letter.sink, str(reason)) for letter, reason in held)
        for (sink, reason), count in counts.items():
            logger.error("the brake is on: %s", reason, extra={"sink": sink, "count": count})
        self._metrics.count(None, "held", len(held))


def _place(letter: DeadLetter) -> Place | None:
    """What refused the document of *letter*; None if neither a sink nor a model did."""
    if isinstance(letter.error, Refused) and letter.sink is not None:
        return letter.sink, letter.target or ""
    if isinstance(letter.error, InvalidImage | ModelBug) and letter.error.model is not None:
        return None, letter.error.model
    return None
