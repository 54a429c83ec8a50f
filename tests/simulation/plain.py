"""A sink without versions, such as a key-value store, and the store behind it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from sync.errors import Refused, Retry, Throttled, Unavailable
from sync.runtime.deadline import Deadline
from sync.runtime.waits import effect_s
from sync.writing.op import Done, Op, Outcome
from tests.simulation.calls import WHOLE, Calls, Fault

SITE: Final = "plain.write"
REFUSED_WORD: Final = "store-refuses"  # a value with it is refused, until mended
TIMEOUT_S: Final = 20.0


class PlainErrors:
    def throttled(self) -> Exception:
        return Throttled("429")

    def server_error(self) -> Exception:
        return Unavailable("503")

    def timeout(self) -> Exception:
        return Unavailable("no answer in time")

    def cut(self) -> Exception:
        return Unavailable("the connection broke")


ERRORS: Final = PlainErrors()


class Store:
    """Values by (target, id); who comes last wins.

    Nothing orders its writes, so a request must not outlive its caller unless *late*: then what
    timed out comes later, and what is parked has to wait for that.
    """

    def __init__(self, calls: Calls, *, late: bool = False) -> None:
        self.values: dict[tuple[str, str], bytes] = {}
        self.mended = False
        self._calls = calls
        self._late = late

    def write(self, ops: Sequence[Op]) -> list[Done | Refused | Retry]:
        """What became of each op. Raises Retry for the request as a whole."""

        def effect(partial: bool) -> list[Done | Refused | Retry]:
            random = self._calls.world.random
            unlucky = random.randrange(len(ops)) if partial else -1
            return [
                Throttled("429: this key was written a moment ago")
                if at == unlucky or (partial and random.random() < 0.5)
                else self._write(op)
                for at, op in enumerate(ops)
            ]

        possible = WHOLE | {Fault.PARTIAL}
        if self._late:
            possible |= {Fault.TIMEOUT_LATE}
        return self._calls.make(SITE, effect, ERRORS, timeout_s=TIMEOUT_S, possible=possible)

    def _write(self, op: Op) -> Done | Refused:
        key = op.target, op.id
        if op.body is None:
            self.values.pop(key, None)
        elif REFUSED_WORD.encode() in op.body and not self.mended:
            return Refused("this value will never do")
        else:
            self.values[key] = op.body
        self._calls.world.note("store", op.id, op.body and op.body.decode())
        return Done.WRITTEN


class Plain:
    """The sink. It never tries twice: what timed out may have its effect yet."""

    name: ClassVar[str] = "plain"
    effect_s = effect_s(TIMEOUT_S)

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        raise NotImplementedError("a simulated sink is given to its service")

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        results: Sequence[Any]
        try:
            results = self._store.write(ops)
        except Retry as error:
            results = [error] * len(ops)
        return [Outcome(op, result) for op, result in zip(ops, results, strict=True)]
