"""A call over a network: how long it takes, and what can befall it."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Protocol, TypeVar

from botocore.exceptions import ClientError
from greenlet import getcurrent

from sync.errors import SyncError
from sync.sinks.opensearch.answers import Rejected
from sync.sinks.typesense.answers import TooLarge
from tests.simulation.world import Killed, Task, World

T = TypeVar("T")

LATENCY_S: Final = 0.02
HANGS_S: Final = 1000.0  # longer than any function may run
IN_PART: Final = 0.3  # share of batches without an answer that take effect in part
ORPHAN_S: Final = 30.0  # how long a request outlives a machine that crashed


class Fault(Enum):
    """What befalls one call. *Effect*: the service did what it was asked to."""

    CRASH_BEFORE = "crash before"  # the caller's machine is gone, without the effect
    CRASH_AFTER = "crash after"  # … and with it
    CRASH_LATE = "crash, late effect"  # … and the effect comes later
    TIMEOUT = "timeout"  # no answer, no effect
    TIMEOUT_DONE = "timeout, effect"
    TIMEOUT_LATE = "timeout, late effect"  # … after the caller has given up
    THROTTLED = "throttled"  # 429, or AWS's like
    SERVER_ERROR = "5xx"
    CUT_BEFORE = "cut before"  # the connection broke; no effect
    CUT_AFTER = "cut after"
    CUT_LATE = "cut, late effect"
    PARTIAL = "partial"  # some parts of a batch fail


LATE: Final = frozenset([Fault.CRASH_LATE, Fault.TIMEOUT_LATE])
WHOLE: Final = frozenset(Fault) - LATE - {Fault.PARTIAL, Fault.CUT_LATE}  # what can befall any call


class Errors(Protocol):
    """What a client raises."""

    def throttled(self) -> Exception: ...
    def server_error(self) -> Exception: ...
    def timeout(self) -> Exception: ...
    def cut(self) -> Exception: ...


@dataclass(frozen=True, slots=True)
class Outage:
    """A service that is down from *begins* to *ends*, and *how* it says so."""

    site: str  # what its call sites begin with
    begins: float
    ends: float
    how: Fault


@dataclass(slots=True)
class Trouble:
    """How likely each call site's calls fail, until it is over."""

    rates: Mapping[str, float] = field(default_factory=dict)  # by site
    outages: tuple[Outage, ...] = ()
    kinds: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict)  # by site, if not all
    latest_s: float = 30.0  # how long after its caller gave up an effect may come
    slow: float = 0.0  # share of calls that take seconds
    hangs: float = 0.0  # … and that end with their caller alone; looking up a name has no timeout
    over: bool = False


class Calls:
    """Every simulated call goes through `make`. Counts what befell each call site."""

    def __init__(self, world: World, trouble: Trouble) -> None:
        self.world = world
        self.trouble = trouble
        self.fired: Counter[tuple[str, str]] = Counter()  # with a 0 for what never did
        self.answered: dict[str, Counter[str]] = {}  # without a fault, by invocation
        self.failed: dict[str, Counter[str]] = {}  # with one, be it in part
        self.while_down: dict[tuple[Any, Outage], Counter[str]] = {}  # by container
        self._sites: set[str] = set()
        self.late = 0  # effects under way whose callers have gone

    def make(
        self,
        site: str,
        effect: Callable[[bool], T],
        errors: Errors,
        *,
        timeout_s: float = 8.0,
        possible: frozenset[Fault] = WHOLE,
        latest_s: float = float("inf"),
    ) -> T:
        """Call *effect* as the service at *site*; it is told whether parts of it are to fail.

        *latest_s*: how long after its caller gave up it may come at most, unless he crashed.
        Raises what *errors* says for a call that failed, and what *effect* raises.
        """
        if site not in self._sites:
            self._sites.add(site)
            self.fired.update({(site, fault.value): 0 for fault in possible})
        fault = self._draw(site, possible)
        if (caller := _caller()) is not None:
            ended = self.answered if fault is None else self.failed
            ended.setdefault(caller.aws_request_id, Counter())[site] += 1
        if fault is None:
            self._travel(timeout_s)
            value = effect(False)
            self._travel(timeout_s)
            return value
        self.fired[site, fault.value] += 1
        self.world.note("fault", site, fault.value)
        return self._befall(fault, effect, errors, possible, timeout_s, latest_s)

    def _befall(
        self,
        fault: Fault,
        effect: Callable[[bool], T],
        errors: Errors,
        possible: frozenset[Fault],
        timeout_s: float,
        latest_s: float,
    ) -> T:
        sleep, random = self.world.sleep, self.world.random.random
        in_part = Fault.PARTIAL in possible and random() < IN_PART
        if fault in (Fault.TIMEOUT, Fault.TIMEOUT_LATE):
            sleep(timeout_s)
            if fault is Fault.TIMEOUT_LATE:
                self._later(effect, min(latest_s, self.trouble.latest_s))
            raise errors.timeout()
        if fault is Fault.TIMEOUT_DONE:
            before = random() * timeout_s
            sleep(before)
            _effect(effect, partial=in_part)
            sleep(timeout_s - before)
            raise errors.timeout()
        self._travel(timeout_s)
        if fault is Fault.PARTIAL:
            value = effect(True)
            self._travel(timeout_s)
            return value
        if fault in (Fault.CRASH_AFTER, Fault.CUT_AFTER):
            _effect(effect, partial=in_part)
        elif fault is Fault.CUT_LATE:
            self._later(effect, min(latest_s, self.trouble.latest_s))
        elif fault is Fault.CRASH_LATE:
            self._later(effect, min(ORPHAN_S, self.trouble.latest_s))
        if fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.CRASH_LATE):
            raise Killed
        self._travel(timeout_s)
        if fault is Fault.THROTTLED:
            raise errors.throttled()
        raise errors.server_error() if fault is Fault.SERVER_ERROR else errors.cut()

    def _draw(self, site: str, possible: frozenset[Fault]) -> Fault | None:
        trouble, random = self.trouble, self.world.random
        if trouble.over:
            return None
        for outage in trouble.outages:
            if site.startswith(outage.site) and outage.begins <= self.world.now < outage.ends:
                if (caller := _caller()) is not None:
                    self.while_down.setdefault((caller.container, outage), Counter())[site] += 1
                return outage.how
        if random.random() >= trouble.rates.get(site, 0.0):
            return None
        kinds = trouble.kinds.get(site) or tuple(Fault)
        kinds = tuple([kind for kind in kinds if kind in possible])
        if _caller() is None:  # no machine that could crash
            kinds = tuple([kind for kind in kinds if not kind.value.startswith("crash")])
        return random.choice(kinds) if kinds else None

    def _travel(self, timeout_s: float) -> None:
        """One way of a request or of its answer."""
        random, hangs = self.world.random.random, self.trouble.hangs
        if hangs and not self.trouble.over and random() < hangs and _caller() is not None:
            self.world.sleep(HANGS_S)
        slow = not self.trouble.over and random() < self.trouble.slow
        self.world.sleep(random() * (timeout_s * 0.45 if slow else LATENCY_S))

    def _later(self, effect: Callable[[bool], Any], within_s: float) -> None:
        def land() -> None:
            self.late -= 1
            self.world.note("a late effect lands")
            _effect(effect)

        self.late += 1
        self.world.after(self.world.random.random() * within_s, land)


def _caller() -> Any:
    """The invocation that makes the call; None: nobody's, such as a test's."""
    task = getcurrent()
    return task.owner if isinstance(task, Task) else None


def _effect(effect: Callable[[bool], Any], *, partial: bool = False) -> None:
    """Do it, or parts of it, for a caller that will never hear of it."""
    # It is the service's answer, and nobody reads it.
    with suppress(ClientError, SyncError, Rejected, TooLarge):
        effect(partial)
