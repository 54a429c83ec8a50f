"""What the service may cost: calls, tries, and time to come to rest. Each bound with its reason.

A bound has to hold in every seed. It is checked while the world runs, so that a service that goes
on for ever is caught before it has done so for long.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sync.errors import RecordError
from sync.recovery.parking import LONGEST_DELAY_S, SAME_AGE_S, ParkedMessage
from sync.recovery.resync import ROUNDS
from sync.sinks.opensearch import sink as opensearch
from sync.sinks.typesense import sink as typesense
from sync.writing.breaker import FIRST_S, LONGEST_S
from tests.simulation.functions import Function, Invocation
from tests.simulation.invariants import Violated
from tests.simulation.opensearch import REJECTED_WORD
from tests.simulation.scenario import Scenario
from tests.simulation.stack import ALIASES, Stack
from tests.simulation.template import DEPLOYED
from tests.simulation.whole_drawn import ASKED_AGAIN_S, KIND, MOST_PAGES

PARK_DELAY_S: Final = 41.0  # docs/guarantees.md: the longest effect of all sinks, and a second
OLDER: Final = 16  # times as old as its delay a key is at most
PARKING: Final = "sqs.send_message_batch"
WRITE_CALLS: Final = {  # by which a write finds that its sink is down
    "opensearch.bulk": opensearch.TRIES,
    "plain.write": 1,
    "typesense.import": typesense.TRIES,
    "typesense.delete": typesense.TRIES,
}
SINKS: Final = 2  # that a record goes to at most
BATCH_CALLS: Final = {  # that one batch of records may take of what is up
    "opensearch.bulk": opensearch.TRIES,  # while single documents are rejected
    "plain.write": 1,
    "sqs.send_message_batch fifo": 4,  # 32 lanes in requests of ten messages
    "sqs.send_message_batch": 5,  # parking, for each sink
}
TABLES: Final = 2  # whose items a resync reads, with a request for each
READS: Final = 3  # of a round of a resync: the items, derived rows, and the items once more


_UNREADABLE_S: Final = max(  # until a message that nobody can read is a dead letter
    queue.visibility_s * queue.most_receives
    for queue in DEPLOYED.queues.values()
    if queue.most_receives
)
# A person who reindexes asks again and again, and may begin a run with the last call. A run waits
# for what is down, and its message is hidden when a worker dies; both perhaps for a second time.
_RUNS_S: Final = (
    MOST_PAGES * ASKED_AGAIN_S + 2 * LONGEST_DELAY_S + 2 * DEPLOYED.queues["RunsQueue"].visibility_s
)


Key = tuple[str | None, str, float]
"""A key that waits: its sink, what it is, and since when."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an invocation was asked for."""

    function: str
    records: int
    sinks: int | None  # for how many of them at once it resyncs; None: it does not


class Effort:
    """Watches the functions, queues and calls of *stack*, and holds them to the bounds.

    *used* has how much of each bound was used at most, as a share of it.
    """

    def __init__(self, stack: Stack, scenario: Scenario) -> None:
        self.used: dict[str, float] = {}
        self._stack = stack
        self._scenario = scenario
        self._world = stack.world
        self._began = stack.world.now
        self._broken: str | None = None
        self._rested = False
        self._copies = 1 + scenario.old_message  # of keys, that may have been parked
        self._seen: set[str] = set()  # messages of the resync queue
        self._tries: Counter[Key] = Counter()
        self._again: Counter[Key] = Counter()  # … of messages that had been received before
        self._parked: Counter[Key] = Counter()  # … of messages that none of its tries has sent
        self._rejected = sum(REJECTED_WORD in str(write.values) for write in scenario.writes)
        self._invocations: dict[str, Asked] = {}  # since the world was at rest
        for function in stack.functions:
            function.watch = self._invoked

    def verify(self) -> None:
        """Raises Violated for a bound that does not hold."""
        self._down()
        answered, failed = self._stack.calls.answered, self._stack.calls.failed
        for invocation, asked in self._invocations.items():
            made = answered.get(invocation, Counter())
            if asked.function == "stream":
                self._writes(made, asked.records)
            elif asked.sinks is not None:
                self._reads(made, failed.get(invocation, Counter()), asked.sinks)
        answered.clear()
        failed.clear()
        self._invocations.clear()
        if self._broken:
            raise Violated(self._broken)

    def rested(self) -> None:
        """The world has come to rest for the first time since trouble was over."""
        self._rested = True

    def check(self, name: str, used: float, allowed: float, why: str) -> None:
        """Hold *used* to *allowed*; what is over it ends the world, and `verify` tells of it."""
        share = used / allowed
        self.used[name] = max(share, self.used.get(name, 0.0))
        if share > 1 and self._broken is None:
            self._broken = f"{name}: {used:g}, and {allowed:g} are allowed; {why}"
            self._world.broken = True

    def _invoked(self, function: Function, invocation: Invocation, event: Any) -> None:
        records = event.get("Records", ())
        sinks = _sinks(event) if function.name in ("resync", "admin") else None
        asked = Asked(function.name, len(records), sinks)
        self._invocations[invocation.aws_request_id] = asked
        if not self._rested:
            took_s = max(0.0, self._world.now - self._began - self._scenario.ends)
            self.check("seconds to rest", took_s, rest_s(self._scenario), "after trouble was over")
        self._copies += SINKS * max(1, len(records)) if function.name in ("stream", "admin") else 0
        if function.name == "typesense":
            self._copies += sum(record["body"].count('"action"') for record in records)
        if function.name == "resync":
            for record in records:
                self._received(record)
            waiting = len(self._stack.resync_queue.messages)
            allowed = self._copies + len(self._stack.strange)
            self.check("messages on the resync queue", waiting, allowed, "copies of keys")

    def _received(self, record: Mapping[str, Any]) -> None:
        try:
            message = ParkedMessage.read(record["body"])
        except RecordError:
            return
        comes_again = record["messageId"] in self._seen
        self._seen.add(record["messageId"])
        for key in message.keys:
            since_s = message.since_of(key)
            parked = message.sink, json.dumps([key.source.table, key.source.keys]), since_s
            self._tries[parked] += 1
            # What a resync sent to Typesense's queue is parked by its worker, with the same age.
            self._parked[parked] += message.tries == 0
            if comes_again:  # then its keys may be parked once more
                self._again[parked] += 1
                self._copies += 1
            # The clock that told since_s may be any: the longest that the key can have waited.
            age_s = self._world.now + max(self._scenario.clocks_s) - since_s
            copies = max(1, self._parked[parked]) + self._again[parked]
            allowed = copies * most_tries(age_s, _apart_s(self._scenario))
            tries = self._tries[parked]
            if tries > allowed:
                allowed *= 1 + self._sent_twice()
            self.check("tries of a parked key", tries, allowed, f"{parked} for {age_s:.0f} s")

    def _sent_twice(self) -> int:
        """How many messages may have been sent twice, as an answer was lost."""
        fired = self._stack.calls.fired
        return sum(count for (site, _), count in fired.items() if site == PARKING)

    def _down(self) -> None:
        """A sink that is down costs each container a write for each pause of its breaker.

        One more write may have begun before it was down, with success in part. A sink of which
        Lambda retries what fails has no breaker.
        """
        strict = f"{self._scenario.strict}." if self._scenario.strict else ()
        for (_, outage), calls in self._stack.calls.while_down.items():
            for site, count in calls.items():
                if site in WRITE_CALLS and not site.startswith(strict):
                    writes = 1 + pauses(outage.ends - outage.begins)
                    allowed = WRITE_CALLS[site] * writes
                    self.check(f"calls while down: {site}", count, allowed, f"{outage}")

    def _writes(self, answered: Mapping[str, int], records: int) -> None:
        """The records of a batch share requests, until an answer says that one has to be sent
        alone."""
        for site, allowed in BATCH_CALLS.items():
            if site == "opensearch.bulk":  # halved until the documents at fault are alone
                shadows = len(ALIASES) if self._scenario.kind == KIND else 0
                allowed += shadows  # each is found by an answer, and then written to
                allowed += 2 * allowed * self._rejected * math.ceil(math.log2(records + 1))
            count = answered.get(site, 0)
            self.check(f"calls of a batch: {site}", count, allowed, f"of {records} records")

    def _reads(self, answered: Mapping[str, int], failed: Mapping[str, int], sinks: int) -> None:
        """A resync reads many keys with one request."""
        # A transaction is followed by a reading of its own, and so is what was read in part.
        transactions = "dynamodb.transact_write_items"
        again = 2 * (answered.get(transactions, 0) + failed.get(transactions, 0))
        again += failed.get("dynamodb.batch_get_item", 0)
        allowed = sinks * TABLES * READS * ROUNDS + again
        count = answered.get("dynamodb.batch_get_item", 0)
        self.check("reads of a resync", count, allowed, f"of {sinks} sinks")


def _sinks(event: Any) -> int | None:
    """For how many sinks at once *event* asks for a resync; None: it asks for something else."""
    if "command" in event:
        return 1 if event["command"] == "resync" else None
    if any('"tries"' not in record["body"] for record in event["Records"]):
        return None  # nobody can read it
    return len({json.loads(record["body"])["sink"] for record in event["Records"]})


def most_tries(parked_s: float, apart_s: float) -> float:
    """How often a key may be tried in *parked_s* seconds, on clocks that are *apart_s* apart.

    The youngest key of a message sets its delay: a quarter of its age, PARK_DELAY_S at least and
    LONGEST_DELAY_S at most. Others of the message are up to four times as old, and a minute
    (`_of_one_age` in sync/recovery/parking.py). So the delay of a key is at least a sixteenth of
    its age, less that minute. By as much as clocks differ it may be older than it looks, or look
    younger than it is. One more try is under way.
    """
    parked_s = max(0.0, parked_s) + apart_s
    first_s, last_s = OLDER * PARK_DELAY_S, OLDER * float(LONGEST_DELAY_S)
    later_s = SAME_AGE_S + 2 * apart_s
    equal = min(parked_s, first_s + later_s) / PARK_DELAY_S
    age_s = max(first_s, parked_s - later_s)
    growing = math.log(min(age_s, last_s) / first_s, 1 + 1 / OLDER)
    return 1 + equal + growing + max(0.0, age_s - last_s) / LONGEST_DELAY_S


def pauses(down_s: float) -> int:
    """How many writes a breaker lets through in *down_s* seconds: one after each of its pauses."""
    writes, after_s, pause_s = 1, 0.0, FIRST_S
    while after_s + pause_s <= down_s:
        after_s, writes = after_s + pause_s, writes + 1
        pause_s = min(LONGEST_S, 2 * pause_s)
    return writes


def rest_s(scenario: Scenario) -> float:
    """Within what time after all trouble is over the last function is invoked."""
    unreadable = [what for _, what in scenario.incidents if what == "strange"]
    return (
        LONGEST_S  # until the last breaker closes
        + 2 * _apart_s(scenario)  # until versions of a clock that is ahead are passed by all
        + 2 * LONGEST_DELAY_S  # a key that was parked just before that, and once more after it
        + 7 * 120.0  # a message of the slowest function, killed: its timeout and visibility
        + _UNREADABLE_S * len(unreadable)  # each may hold up a lane so long, and all stand in one
        + (_RUNS_S if scenario.kind == KIND else 0.0)
    )


def _apart_s(scenario: Scenario) -> float:
    """By how much the clocks of two machines may differ."""
    return max(scenario.clocks_s) - min(scenario.clocks_s)
