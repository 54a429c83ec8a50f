"""Bugs, each of which the simulation has to catch: the rules of recovery, dropped one at a time.

A bug is a change of the real code, made while the context lasts.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest import mock

from sync.aws import keys as item_keys
from sync.aws.items import Found, Items
from sync.deadletters.replay import Replay
from sync.errors import RecordError, Refused, RegistryError, Throttled
from sync.recovery import resync
from sync.recovery.parking import Parked, Parking
from sync.recovery.resync import Resync
from sync.sinks.opensearch import request, sink
from sync.stream import dispatch
from sync.stream import record as records
from sync.writing.op import Done, Outcome
from tests.simulation.planted_effort import EFFORT_BUGS
from tests.simulation.planted_letters import LETTER_BUGS
from tests.simulation.planted_sinks import SINK_BUGS
from tests.simulation.planted_whole import WHOLE_BUGS
from tests.simulation.run import Report, simulate
from tests.simulation.scenario import draw

Planted = AbstractContextManager[Any]


def no_versions() -> Planted:
    """Every write of the stream has the same version."""
    return mock.patch.object(records, "stream_version", return_value=1)


def no_tie_break() -> Planted:
    """A version is the second of its record, so writes of one second are not ordered."""
    return mock.patch.object(
        records, "stream_version", lambda created_s, _number: created_s * 10**9
    )


def no_external_versions() -> Planted:
    """Whoever comes last wins, whatever its version."""
    lines = request.lines_of
    return mock.patch.object(
        request, "lines_of", lambda *to: lines(*to).replace(b"external_gte", b"internal")
    )


def no_verify() -> Planted:
    """What was written is taken to be in line."""
    read = Items.read
    reads: dict[int, Mapping[Any, Found]] = {}

    def once(self: Items, sources: Sequence[Any], deadline: Any) -> Mapping[Any, Found]:
        """The second reading of a resync is the first one again."""
        there = reads.get(id(deadline), {})
        if sources and all(source in there for source in sources):
            return reads.pop(id(deadline))
        reads[id(deadline)] = found = read(self, sources, deadline)
        return found

    return mock.patch.object(Items, "read", once)


def resync_at_once() -> Planted:
    """A parked key is resynced whatever the version of the write that parked it."""
    run = Resync.run

    def at_once(self: Resync, keys: Sequence[Parked], *given: Any, **more: Any) -> Any:
        for settled in run(self, [replace(key, after_version=0) for key in keys], *given, **more):
            (key,) = [key for key in keys if key.source == settled.key.source][:1]
            yield replace(settled, key=key)

    return mock.patch.object(Resync, "run", at_once)


def no_delay() -> Planted:
    """A parked key is tried again at once, while a request may still be under way."""
    return mock.patch.object(Parking, "_delay", return_value=0)


def stale_is_the_end_for_the_stream() -> Planted:
    """A stale write of the stream is a success."""
    respond = dispatch.Dispatcher._respond

    def forget(self: Any, ended: Any, counts: Any) -> Any:
        return respond(self, [one for one in ended if one.result is not Done.STALE], counts)

    return mock.patch.object(dispatch.Dispatcher, "_respond", forget)


def stale_is_the_end_for_a_resync() -> Planted:
    """A stale resync is a success."""
    worse = resync._worse

    def fine(so_far: Any, outcome: Outcome, version: int) -> Any:
        return so_far if outcome.result is Done.STALE else worse(so_far, outcome, version)

    return mock.patch.object(resync, "_worse", fine)


def throttling_is_swallowed() -> Planted:
    """A 429 is taken for a success."""
    write = sink.OpenSearch.write

    def fine(self: Any, ops: Any, deadline: Any) -> Iterator[Outcome]:
        for op, result in write(self, ops, deadline):
            yield Outcome(op, Done.WRITTEN if isinstance(result, Throttled) else result)

    return mock.patch.object(sink.OpenSearch, "write", fine)


def one_item_error_is_ignored() -> Planted:
    """Of the errors of an answer, the first is overlooked."""
    read = request.Request.read

    def overlook(asked: request.Request, answer: Any) -> request.Answered:
        found = read(asked, answer)
        results = [*found.results]
        for at, result in enumerate(results):
            if not isinstance(result, Done):
                results[at] = Done.WRITTEN
                break
        return replace(found, results=results)

    return mock.patch.object(request.Request, "read", overlook)


def deletes_are_forgotten() -> Planted:
    """An item that is gone leaves its document, where a resync finds it gone."""
    plan = Resync._plan

    def forget(self: Resync, *given: Any) -> Any:
        return [op for op in plan(self, *given) if op.body is not None]

    return mock.patch.object(Resync, "_plan", forget)


def removals_are_forgotten() -> Planted:
    """A REMOVE of the stream plans nothing."""
    plan = dispatch.Dispatcher._plan

    def forget(self: Any, record: Any, *given: Any) -> Any:
        return None if record.event_name == "REMOVE" else plan(self, record, *given)

    return mock.patch.object(dispatch.Dispatcher, "_plan", forget)


def stored_bodies_are_replayed() -> Planted:
    """A replay writes what its row holds, not what the table says."""
    run = Replay.run

    def replay(self: Replay, rows: Sequence[Any], deadline: Any) -> Iterator[Any]:
        bodies: dict[Any, Any] = {}
        for row in rows:
            whole = self._table.get(row.id)
            if whole is not None and whole.body and whole.keys:
                record = json.loads(whole.body).get("dynamodb", {})
                bodies[item_keys.identity(whole.keys)] = record.get("NewImage")
        read = Items.read

        def stored(_self: Items, sources: Sequence[Any], within: Any) -> Any:
            found = read(_self, sources, within)
            for source in sources:
                if item_keys.identity(source.keys) in bodies:
                    found[source] = bodies[item_keys.identity(source.keys)]
            return found

        with mock.patch.object(Items, "read", stored):
            yield from list(run(self, rows, deadline))

    return mock.patch.object(Replay, "run", replay)


def acknowledged_before_parked() -> Planted:
    """A record is done even though its key could not be parked."""
    send = Parking._send

    def forget(self: Parking, message: Any) -> Iterator[Any]:
        for _ in send(self, message):
            pass
        yield from ()

    return mock.patch.object(Parking, "_send", forget)


def first_wins() -> Planted:
    """Of a batch's ops on one id, the first one counts."""
    run = dispatch.Dispatcher.run

    def backwards(self: Any, raws: Sequence[Any], deadline: Any) -> Any:
        return run(self, list(reversed(raws)), deadline)

    return mock.patch.object(dispatch.Dispatcher, "run", backwards)


def unprocessed_is_absent() -> Planted:
    """What DynamoDB left unprocessed is taken for an item that is gone."""
    ask = Items._ask

    def absent(self: Items, *given: Any) -> Any:
        found, _left = ask(self, *given)
        return found, set()

    return mock.patch.object(Items, "_ask", absent)


def refusals_are_dropped() -> Planted:
    """What a sink refuses is nowhere kept."""
    respond = dispatch.Dispatcher._respond

    def drop(self: Any, ended: Any, counts: Any) -> Any:
        refused = (Refused, RecordError, RegistryError)
        kept = [one for one in ended if not isinstance(one.result, refused)]
        return respond(self, kept, counts)

    return mock.patch.object(dispatch.Dispatcher, "_respond", drop)


def parked_anew_is_forgotten() -> Planted:
    """A resync that did not succeed is not tried again."""
    return mock.patch.object(Parking, "again", return_value=())


def eventually_consistent() -> Planted:
    """A resync reads what may be a moment old."""
    ask = Items._ask

    def stale(self: Items, table: str, wanted: Any) -> Any:
        real = self._clients

        class Eventually:
            def batch_get_item(self, **given: Any) -> Any:
                request = given["RequestItems"]
                for one in request.values():
                    one["ConsistentRead"] = False
                return real("dynamodb").batch_get_item(RequestItems=request)

        self._clients = lambda _service: Eventually()
        try:
            return ask(self, table, wanted)
        finally:
            self._clients = real

    return mock.patch.object(Items, "_ask", stale)


BUGS: Final[Mapping[Callable[[], Planted], str]] = {
    no_versions: "late",
    no_tie_break: "late",
    no_external_versions: "late",
    no_verify: "race",
    resync_at_once: "slow clocks",
    no_delay: "late plain",
    stale_is_the_end_for_the_stream: "late",
    stale_is_the_end_for_a_resync: "fast clock",
    throttling_is_swallowed: "mixed",
    one_item_error_is_ignored: "mixed",
    deletes_are_forgotten: "mixed",
    removals_are_forgotten: "mixed",
    stored_bodies_are_replayed: "mixed",
    acknowledged_before_parked: "mixed",
    first_wins: "mixed",
    unprocessed_is_absent: "race",
    refusals_are_dropped: "mixed",
    parked_anew_is_forgotten: "mixed",
    eventually_consistent: "race",
    **SINK_BUGS,
    **LETTER_BUGS,
    **EFFORT_BUGS,
    **WHOLE_BUGS,
}
"""Each with the kind of scenario that it shows in soonest."""

SEARCHED: Final = range(1, 5001)
KNOWN: Final = Path(__file__).with_name("planted.json")


def known() -> dict[str, int]:
    """The seed that caught each bug last."""
    seeds: dict[str, int] = json.loads(KNOWN.read_text())
    return seeds


def caught(bug: Callable[[], Planted], seeds: Iterable[int]) -> Report | None:
    """The first of *seeds*, of the kind for *bug*, that fails with it planted."""
    kind = BUGS[bug]
    with bug():
        for seed in seeds:
            if draw(seed).kind == kind and (report := simulate(seed)).failure:
                return report
    return None


def search(bugs: Iterable[Callable[[], Planted]] = tuple(BUGS)) -> Iterator[tuple[str, int | None]]:
    """The first seed that catches each of *bugs*; they are kept for the tests."""
    seeds = {}
    for bug in bugs:
        report = caught(bug, SEARCHED)
        if report is not None:
            seeds[bug.__name__] = report.seed
        yield bug.__name__, seeds.get(bug.__name__)
    KNOWN.write_text(json.dumps(seeds, indent=1) + "\n")
