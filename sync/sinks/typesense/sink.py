"""The Typesense sink: imports puts, deletes one by one, reads an outcome for each op."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, NamedTuple, Protocol, Self, cast

from sync.aws.batches import batches
from sync.aws.clients import client as aws_client
from sync.errors import Misconfigured, NotTried, Refused, Retry, Unanswered
from sync.runtime.deadline import Deadline
from sync.runtime.retry import full_jitter, until_settled
from sync.runtime.waits import effect_s
from sync.sinks.typesense import reading
from sync.sinks.typesense.answers import Busy, Forbidden, TooLarge, read_delete, read_import
from sync.sinks.typesense.documents import encode
from sync.sinks.typesense.settings import Settings
from sync.writing.comparing import Compared, Walk
from sync.writing.ids import check_id
from sync.writing.lane import Lanes, by_document
from sync.writing.op import Op, Outcome, Result
from sync.writing.schema import Schema
from sync.writing.shadows import Places, of_both

MAX_OPS: Final = 500  # in one import: the server indexes all before it answers
MAX_BYTES: Final = 2_000_000
TRIES: Final = 3
MARGIN_S: Final = 0.2  # between a request's timeout and the deadline, to read the answer
BUSY_S: Final = (10.0, 60.0)  # least and longest pause for a busy server


class Client(Protocol):
    """What the sink needs of `client.Connection`."""

    def places(self, alias: str, timeout_s: float) -> tuple[Places, float]: ...

    def import_(self, collection: str, lines: bytes, timeout_s: float) -> str: ...

    def delete(self, collection: str, document_id: str, timeout_s: float) -> Any: ...

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str: ...

    def close(self) -> None: ...


class Admin(Client, Protocol):
    """What a reindex needs of `client.Connection`."""

    def places_now(self, alias: str) -> Places: ...

    def shadow(self, alias: str, schema: Mapping[str, Any]) -> Places: ...

    def swap(self, alias: str, live: str) -> Places: ...

    def drop(self, alias: str, shadow: str) -> Places: ...


class Line(NamedTuple):
    """An op, and its document as a line of an import; empty for a delete."""

    op: Op
    data: bytes


class Typesense:
    """Documents in collections behind aliases. A target is an alias; a write never creates one.

    Typesense keeps no versions: of two writes of a document, the one that takes effect last wins.
    So the callers keep the order. A document's ops pass through one lane of a FIFO queue
    (sync/lanes/), which has one batch in flight at a time, and a batch is folded to the last op of
    each document. One write holds no document twice.

    A request whose answer was lost may still take effect, and overwrite what is written meanwhile.
    So it is retried only after *effect_s*. If too little time is left for that, its ops end as
    Retry: their keys are parked for longer than *effect_s*, and the items read anew.
    """

    name: ClassVar[str] = "typesense"
    skips_equal: ClassVar[bool] = True
    lanes: ClassVar[Lanes] = Lanes(
        "TYPESENSE_QUEUE_URL", "TYPESENSE_DEAD_LETTER_QUEUE_URL", by_document(32)
    )

    def __init__(
        self, connect: Callable[[], Client], timeout_s: float = 20.0, *, prefix: str = ""
    ) -> None:
        """*connect* is called by the first write, and again when the server refuses the key. The
        alias of a target is *prefix* and its name: stages that share a server have different ones.
        """
        self._prefix = prefix
        self.timeout_s = timeout_s
        self.effect_s = effect_s(timeout_s)
        self._connect = connect
        self._connected: Client | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        settings = Settings.from_env(env)

        def connect() -> Client:
            from sync.sinks.typesense.client import Connection  # slow to import

            return Connection(settings, settings.api_key(aws_client))

        return cls(connect, settings.timeout_s, prefix=settings.prefix)

    @property
    def _client(self) -> Client:
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

    @classmethod
    def schema(cls, documents: Sequence[Schema]) -> dict[str, Any]:
        from sync.sinks.typesense.schema import collection  # for commands, not for writing

        return collection(documents)

    @classmethod
    def conflicts(cls, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
        from sync.sinks.typesense.aliases import unlike  # for commands, not for writing

        return unlike(there, wanted)

    def prepare(self, target: str, schema: Mapping[str, Any]) -> str:
        return self._client.prepare(f"{self._prefix}{target}", schema)

    def places(self, target: str) -> Places:
        with self._forgetting():
            return self._admin.places_now(f"{self._prefix}{target}")

    def shadow(self, target: str, schema: Mapping[str, Any], deadline: Deadline) -> Places:
        with self._forgetting():
            found = self._admin.shadow(f"{self._prefix}{target}", schema)
        self._until_known(deadline)
        return found

    def swap(self, target: str, live: str, deadline: Deadline) -> Places:
        with self._forgetting():
            found = self._admin.swap(f"{self._prefix}{target}", live)
        self._until_known(deadline)
        return found

    def _until_known(self, deadline: Deadline) -> None:
        """Wait until nobody writes by what was looked up before. Raises NotTried."""
        from sync.sinks.typesense.client import KNOWN_S  # slow to import

        if not deadline.pause(2 * KNOWN_S):
            raise NotTried("it is done, but no time is left to wait until all writers know; again")

    def drop(self, target: str, shadow: str) -> Places:
        with self._forgetting():
            return self._admin.drop(f"{self._prefix}{target}", shadow)

    @property
    def _admin(self) -> Admin:
        # A client that only writes, as in a simulation, lacks these methods.
        return cast(Admin, self._client)

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        with self._forgetting():
            yield from self._reader.compare(ops, deadline)

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        with self._forgetting():
            yield from self._reader.ids(target, start, deadline)

    def sample(self, target: str, count: int, deadline: Deadline) -> Sequence[str]:
        with self._forgetting():
            return self._reader.sample(target, count, deadline)

    @property
    def _reader(self) -> reading.Reader:
        # A client that only writes, as in a simulation, lacks these methods.
        return reading.Reader(cast(reading.Client, self._client), self.timeout_s, self._prefix)

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        lines: dict[str, list[Line]] = {}
        for op in ops:
            try:
                if op.body is None:
                    check_id(op.id)
                line = Line(op, b"" if op.body is None else encode(op))
            except Refused as refused:
                yield Outcome(op, refused)
            else:
                lines.setdefault(op.target, []).append(line)
        given_up: dict[str | None, Retry] = {}  # by target; None: the whole server
        for target, of_target in lines.items():
            for request in requests(of_target):
                if error := given_up.get(None) or given_up.get(target):
                    yield from (Outcome(line.op, error) for line in request)
                else:
                    for line, result in self._write(target, request, deadline, given_up):
                        yield Outcome(line.op, result)

    def _write(
        self,
        target: str,
        lines: Sequence[Line],
        deadline: Deadline,
        given_up: dict[str | None, Retry],
    ) -> Iterator[tuple[Line, Result]]:
        """Send *lines*, and retry those that end as Retry until tries or time run out.

        Then adds to *given_up* why the last request failed as a whole, if it did: the next requests
        skip a server that is down, or a missing collection.
        """
        whole: Retry | None = None  # why the last request failed, if it failed as a whole
        left_s, is_last = 0.0, False

        def attempt(waiting: Sequence[Line]) -> Iterable[tuple[Line, Result]]:
            nonlocal whole, left_s, is_last
            whole, left_s = None, deadline.remaining()
            try:
                return zip(waiting, self._send(target, waiting, deadline), strict=True)
            except TooLarge as error:
                is_last = True
                return self._halves(target, waiting, error, deadline, given_up)
            except Retry as error:
                if isinstance(error, Unanswered | Forbidden) and len(waiting) > 1:
                    is_last = True
                    took_s = left_s - deadline.remaining()
                    return self._apart(target, waiting, error, took_s, deadline, given_up)
                whole = error
                return [(line, error) for line in waiting]

        def pause(retry: int, _failed: Sequence[tuple[Line, Retry]]) -> bool:
            if is_last:
                return False
            took_s = left_s - deadline.remaining()
            if retry < TRIES and self._wait(whole, retry, took_s, deadline):
                return True
            if whole is not None:
                given_up[target if whole.of_target else None] = whole
            return False

        return until_settled(lines, attempt, pause)

    def _halves(
        self,
        target: str,
        lines: Sequence[Line],
        error: TooLarge,
        deadline: Deadline,
        given_up: dict[str | None, Retry],
    ) -> Iterator[tuple[Line, Result]]:
        """Write *lines*, which are TooLarge as one request, in halves; a single line is refused."""
        if len(lines) == 1:
            refused = Refused(str(error))
            refused.__cause__ = error
            yield lines[0], refused
            return
        middle = len(lines) // 2
        for half in (lines[:middle], lines[middle:]):
            yield from self._write(target, half, deadline, given_up)

    def _apart(
        self,
        target: str,
        lines: Sequence[Line],
        error: Retry,
        took_s: float,
        deadline: Deadline,
        given_up: dict[str | None, Retry],
    ) -> Iterator[tuple[Line, Result]]:
        """Send *lines* once more, in halves, after a request that failed with *error*.

        A single document may be the cause: it takes the server too long, or a firewall rejects it.
        One half is then written without it. The other is parked, and halved once more when it is
        resynced. If too little time is left, nothing is sent.
        """
        if isinstance(error, Forbidden) or self._outlast(took_s, deadline):
            middle = len(lines) // 2
            halves = [lines[:middle], lines[middle:]]
        else:
            halves = []
            yield from ((line, error) for line in lines)
        failed = 0
        for half in halves:
            try:
                results = self._send(target, half, deadline)
            except TooLarge as large:
                yield from self._halves(target, half, large, deadline, given_up)
            except Retry as again:
                failed += 1
                error = again
                yield from ((line, again) for line in half)
            else:
                yield from zip(half, results, strict=True)
        if failed == len(halves):
            given_up[target if error.of_target else None] = error

    def _send(self, target: str, lines: Sequence[Line], deadline: Deadline) -> list[Result]:
        """Send one request to each place and return the result of each line.

        Raises Retry or TooLarge.
        """
        alias = f"{self._prefix}{target}"
        with self._forgetting():
            found, left_s = self._client.places(alias, self._time_s(deadline))
            results = self._ask(found.live or alias, lines, left_s)
            if found.shadow is None:
                return results
            again = self._ask(found.shadow, lines, self._time_s(deadline))
            pairs = zip(lines, results, again, strict=True)
            return [of_both(line.op, live, shadow, found) for line, live, shadow in pairs]

    def _time_s(self, deadline: Deadline) -> float:
        """The timeout of a request that is sent now. Raises NotTried if it would be too short."""
        timeout_s = min(self.timeout_s, deadline.remaining() - MARGIN_S)
        if timeout_s < MARGIN_S:
            raise NotTried("no time is left before the deadline")
        return timeout_s

    def _ask(self, collection: str, lines: Sequence[Line], timeout_s: float) -> list[Result]:
        """Send one request to *collection*. Raises Retry or TooLarge."""
        ops = [line.op for line in lines]
        if ops[0].body is None:
            return [read_delete(self._client.delete(collection, ops[0].id, timeout_s), ops[0])]
        body = b"\n".join(line.data for line in lines)
        return read_import(self._client.import_(collection, body, timeout_s), ops)

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Connect anew after an error of the setup: the API key may have changed since."""
        try:
            yield
        except Misconfigured:
            self._forget()
            raise

    def _forget(self) -> None:
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def _wait(self, whole: Retry | None, retry: int, took_s: float, deadline: Deadline) -> bool:
        """Wait before retry number *retry*. False: there is no time for that.

        *whole*: why the last request failed as a whole, if it did. *took_s*: the time since it was
        sent.
        """
        if isinstance(whole, Unanswered):
            return self._outlast(took_s, deadline)
        if isinstance(whole, Busy):
            least, most = BUSY_S
            most = min(most, deadline.remaining() / 2)  # leaves as much for the retry
            return most > least and deadline.pause(random.uniform(least, most))  # noqa: S311 - not a secret
        return deadline.pause(full_jitter(retry))

    def _outlast(self, took_s: float, deadline: Deadline) -> bool:
        """Wait until a request that was sent *took_s* ago can no longer take effect: it must not do
        so after its retry. False: there is no time for that."""
        return deadline.pause(max(0.0, self.effect_s - took_s))


def requests(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """*lines*, split into requests: imports within the limits, and one for each delete."""
    lines = list(lines)
    puts = (line for line in lines if line.op.body is not None)
    yield from batches(
        puts, most=MAX_OPS, most_bytes=MAX_BYTES, size=lambda line: len(line.data) + 1
    )
    yield from ([line] for line in lines if line.op.body is None)
