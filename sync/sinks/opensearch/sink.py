"""The OpenSearch sink: sends ops as bulk requests, reads an outcome for each from the answer."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, Protocol, Self, cast

from sync.aws.batches import batches
from sync.errors import Misconfigured, NotTried, Refused, Retry, Unanswered
from sync.runtime.deadline import Deadline
from sync.runtime.retry import full_jitter, until_settled
from sync.runtime.waits import effect_s
from sync.sinks.opensearch import reading
from sync.sinks.opensearch.answers import Rejected
from sync.sinks.opensearch.request import Line, Request, encode
from sync.sinks.opensearch.settings import Settings
from sync.writing.comparing import Compared, Walk
from sync.writing.op import Op, Outcome, Result
from sync.writing.schema import Schema
from sync.writing.shadows import Places

MAX_OPS = 1_000  # in one request
MAX_BYTES = 5_000_000  # in one request, before compression
TRIES = 5
MOST_UNANSWERED = 3  # requests in a row; then the server counts as down
MARGIN_S = 0.2  # between a request's timeout and the deadline, to read the answer


class Client(Protocol):
    """What the sink needs of `client.Connection`."""

    def bulk(self, body: bytes, timeout_s: float) -> Any: ...

    def prepare(self, alias: str, schema: Mapping[str, Any]) -> str: ...


class Admin(Client, Protocol):
    """What a reindex needs of `client.Connection`."""

    def places(self, alias: str) -> Places: ...

    def shadow(self, alias: str, schema: Mapping[str, Any]) -> Places: ...

    def swap(self, alias: str, live: str) -> Places: ...

    def drop(self, alias: str, shadow: str) -> Places: ...


class OpenSearch:
    """Documents in indexes behind aliases. A target is an alias; a write never creates one.

    Ordered by external versions (external_gte): an op below the stored version is stale, an op
    equal to it is written again, so redelivery is harmless.
    """

    name: ClassVar[str] = "opensearch"

    def __init__(
        self, connect: Callable[[], Client], timeout_s: float = 20.0, *, prefix: str = ""
    ) -> None:
        """*connect* is called once, by the first write. The alias of a target is *prefix* and its
        name: stages that share a domain have different ones."""
        self._prefix = prefix
        self.timeout_s = timeout_s
        self.effect_s = effect_s(timeout_s)
        self._connect = connect
        self._shadowed: frozenset[str] = frozenset()  # targets that had a shadow when last written

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        settings = Settings.from_env(env)

        def connect() -> Client:
            from sync.sinks.opensearch.client import Connection  # slow to import

            return Connection(settings)

        return cls(connect, settings.timeout_s, prefix=settings.prefix)

    @cached_property
    def _client(self) -> Client:
        return self._connect()

    @classmethod
    def schema(cls, documents: Sequence[Schema]) -> dict[str, Any]:
        from sync.sinks.opensearch.mapping import index_body  # for commands, not for writing

        return index_body(documents)

    @classmethod
    def conflicts(cls, there: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
        from sync.sinks.opensearch.mapping import unlike  # for commands, not for writing

        return unlike(there.get("mappings", {}), wanted["mappings"])

    def prepare(self, target: str, schema: Mapping[str, Any]) -> str:
        return self._client.prepare(f"{self._prefix}{target}", schema)

    def places(self, target: str) -> Places:
        return self._admin.places(f"{self._prefix}{target}")

    def shadow(self, target: str, schema: Mapping[str, Any], deadline: Deadline) -> Places:  # noqa: ARG002 - one request
        return self._admin.shadow(f"{self._prefix}{target}", schema)

    def swap(self, target: str, live: str, deadline: Deadline) -> Places:  # noqa: ARG002
        return self._admin.swap(f"{self._prefix}{target}", live)

    def drop(self, target: str, shadow: str) -> Places:
        return self._admin.drop(f"{self._prefix}{target}", shadow)

    @property
    def _admin(self) -> Admin:
        # A client that only writes, as in a simulation, lacks these methods.
        return cast(Admin, self._client)

    def compare(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Compared]:
        return self._reader.compare(ops, deadline)

    def ids(self, target: str, start: str | None, deadline: Deadline) -> Walk:
        return self._reader.ids(target, start, deadline)

    def sample(self, target: str, count: int, deadline: Deadline) -> Sequence[str]:
        return self._reader.sample(target, count, deadline)

    @property
    def _reader(self) -> reading.Reader:
        # A client that only writes, as in a simulation, lacks these methods.
        return reading.Reader(cast(reading.Client, self._client), self.timeout_s, self._prefix)

    def write(self, ops: Sequence[Op], deadline: Deadline) -> Iterable[Outcome]:
        lines = []
        for op in ops:
            try:
                lines.append(Line(op, encode(op, self._prefix)))
            except Refused as refused:
                yield Outcome(op, refused)
        given_up: dict[str | None, Retry] = {}  # by target; None: the whole destination
        for chunk in chunks(lines):
            waiting = []
            for line in chunk:
                if error := given_up.get(None) or given_up.get(line.op.target):
                    yield Outcome(line.op, error)
                else:
                    waiting.append(line)
            yield from self._write_chunk(waiting, deadline, given_up)

    def _write_chunk(
        self, lines: list[Line], deadline: Deadline, given_up: dict[str | None, Retry]
    ) -> Iterator[Outcome]:
        """Send *lines*, and retry those that end as Retry until tries or time run out.

        Then adds to *given_up* why: the next chunks skip a destination that is down, or a target
        without its alias. A destination that answered for other lines of the last try is not down.
        """
        sent: dict[int, Retry] = {}  # by a line's id(): the error of the last request it was in
        tried = 0

        def attempt(waiting: Sequence[Line]) -> Iterator[tuple[Line, Result]]:
            nonlocal tried
            tried = len(waiting)
            return self._try(waiting, deadline, sent)

        def pause(retry: int, failed: Sequence[tuple[Line, Retry]]) -> bool:
            if (
                retry < TRIES
                and deadline.pause(full_jitter(retry))
                and _timeout_s(self.timeout_s, deadline) >= MARGIN_S
            ):
                return True
            for line, error in failed:
                if error.of_target or len(failed) == tried:
                    given_up[line.op.target if error.of_target else None] = error
            return False

        for line, result in until_settled(lines, attempt, pause):
            yield Outcome(line.op, result)

    def _try(
        self, lines: Sequence[Line], deadline: Deadline, sent: dict[int, Retry]
    ) -> Iterator[tuple[Line, Result]]:
        """Send *lines* once, and again in halves where a request is rejected or unanswered.

        In both cases a single document may be the cause (of no answer, if it takes the server too
        long), and the others should be written without it. Any other failure ends the try, as do
        MOST_UNANSWERED requests in a row without an answer.

        Lines of a failed request are added to *sent*. They are never reported as NotTried later,
        since that request may still take effect.
        """
        groups = deque([lines])  # first in, first out: both halves before any quarter
        unanswered = 0
        while groups:
            group = groups.popleft()
            try:
                results = self._send(group, deadline)
            except Rejected:
                groups += _halves(group)
            except NotTried as error:
                yield from ((line, sent.get(id(line), error)) for line in chain(group, *groups))
                return
            except Retry as error:
                sent.update((id(line), error) for line in group)
                unanswered += 1
                if isinstance(error, Unanswered) and unanswered < MOST_UNANSWERED:
                    if len(group) > 1:
                        groups += _halves(group)
                    else:
                        yield group[0], error
                    continue
                yield from ((line, sent.get(id(line), error)) for line in chain(group, *groups))
                return
            else:
                unanswered = 0
                yield from zip(group, results, strict=True)

    def _send(self, group: Sequence[Line], deadline: Deadline) -> Sequence[Result]:
        """Send one request and return the result of each line.

        Raises Retry if the request failed, Rejected if one of several lines may be the cause. A
        single line is the cause if a request without it is accepted.
        """
        try:
            return self._bulk(group, {line.op.target for line in group}, deadline)
        except Rejected as rejected:
            # 413 is always about the lines. 403 may come from a firewall that rejects one document,
            # or mean that we lack access: then up to a thousand halves would all fail as well.
            if rejected.status == 403 or (rejected.status != 413 and len(group) == 1):
                self._check_harmless({line.op.target for line in group}, deadline)
            if len(group) > 1:
                raise
            refused = Refused(str(rejected))
            refused.__cause__ = rejected
            return [refused]

    def _check_harmless(self, targets: set[str], deadline: Deadline) -> None:
        """Raises Misconfigured if a request without any document is rejected too."""
        try:
            self._bulk([], targets, deadline)
        except Rejected as harmless:
            raise Misconfigured(
                f"even a harmless request fails: {harmless}", of_target=harmless.status != 403
            ) from harmless

    def _bulk(
        self, group: Sequence[Line], targets: set[str], deadline: Deadline
    ) -> Sequence[Result]:
        """Send *group*; and once more what belongs into a shadow that was not known until then."""
        timeout_s = _timeout_s(self.timeout_s, deadline)
        if timeout_s < MARGIN_S:
            raise NotTried("no time is left before the deadline")
        request = Request(group, targets, self._shadowed, self._prefix)
        answered = request.read(self._client.bulk(request.body, timeout_s))
        found = {*answered.shadowed} - self._shadowed
        self._shadowed = (self._shadowed | found).difference(answered.bare)
        again = [line for line in group if line.op.target in found]
        if not again:
            return answered.results
        results = iter(self._bulk(again, found, deadline))
        return [
            next(results) if line.op.target in found else result
            for line, result in zip(group, answered.results, strict=True)
        ]


def _timeout_s(most: float, deadline: Deadline) -> float:
    """The timeout of a request sent now: *most*, or what *deadline* leaves."""
    return min(most, deadline.remaining() - MARGIN_S)


def _halves(group: Sequence[Line]) -> tuple[Sequence[Line], Sequence[Line]]:
    middle = len(group) // 2
    return group[:middle], group[middle:]


def chunks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """*lines* in order, split into requests."""
    return batches(lines, most=MAX_OPS, most_bytes=MAX_BYTES, size=lambda line: len(line.data))
