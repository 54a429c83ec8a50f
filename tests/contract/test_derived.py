"""Counters and default images on AWS's own DynamoDB Local: conditions, transactions, many at once.

Threads are containers: each has a sink of its own, and dies at some calls.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sync.errors import Retry
from sync.models.core.faa_link import IcaoType
from sync.runtime.deadline import Deadline
from sync.sinks.counters import Counters, actions
from sync.sinks.default_image import DefaultImage, Entity
from sync.writing.op import Done, Op, Outcome
from sync.writing.sink import Sink
from tests.doubles.derived import (
    Fault,
    Killed,
    Tables,
    at_random,
    counted,
    killed_after,
    killed_before,
    look,
    lost_answer,
    lost_request,
    says,
    write,
)
from tests.dynamodb_local.server import DynamoDbLocal

WRITTEN = Done.WRITTEN
THREADS = 4
FAULTS = (killed_before, killed_after, lost_request, lost_answer)


@pytest.fixture
def tables(dynamodb_local: DynamoDbLocal) -> Iterator[Tables]:
    made = Tables(dynamodb_local.client())
    yield made
    for name in (made.core, made.contributions):
        made.client.delete_table(TableName=name)


def deliver(fresh: Callable[[], Sink], ops: list[Op]) -> None:
    """As Lambda and the resync queue do: again, by another container, until nothing is left."""
    waiting = {(op.target, op.id): op for op in ops}  # folded: the last one of an id counts
    while waiting:
        try:
            outcomes: list[Outcome] = list(fresh().write(list(waiting.values()), Deadline(60)))
        except Killed:
            continue
        for op, result in outcomes:
            if not isinstance(result, Retry):
                assert isinstance(result, Done)
                del waiting[op.target, op.id]


def in_threads(work: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, n) for n in range(THREADS)]:
            done.result()


# ── Counters ──────────────────────────────────────────────────────────────────────────────────────


def test_a_hundred_links_take_four_transactions_at_most(tables: Tables) -> None:
    """Each moves between two counters of its own, which is the most that a link can ask for."""
    sink, client = tables.counters()
    write(sink, [says(n, counted(n), 1) for n in range(100)])
    write(sink, [says(n + 100, counted(n), 1) for n in range(100)])  # so that none comes to nothing
    client.calls.clear()
    assert write(sink, [says(n, counted(n + 100), 2) for n in range(100)]) == [WRITTEN] * 100
    assert client.calls["transact_write_items"] == 4
    assert tables.held() == {counted(n): 1 for n in range(200)}


def test_the_longest_keys_fit(tables: Tables) -> None:
    """A hundred rows of the longest names are no more than a transaction takes."""
    sink, _ = tables.counters()
    longest = [IcaoType(f"{n:03}" + "d" * 300, "m" * 400, "o" * 300) for n in range(100)]
    assert write(sink, [says(n, what, 1) for n, what in enumerate(longest)]) == [WRITTEN] * 100
    assert tables.held() == dict.fromkeys(longest, 1)


def test_a_link_that_changes_ten_times_in_a_batch_counts_once(tables: Tables) -> None:
    """Dispatch folds its ops; a replay of each alone is stale."""
    ops = [says(1, counted(n), n) for n in range(10)]
    deliver(lambda: tables.counters()[0], ops)
    assert tables.held() == {counted(9): 1}
    assert write(tables.counters()[0], ops[4:5]) == [Done.STALE]
    assert tables.held() == {counted(9): 1}


def test_counters_equal_a_recount_after_random_churn(tables: Tables) -> None:
    """Four writers, few counters, duplicates, replays of old batches, crashes at every call."""
    links = churn(tables, at_random)
    recount = dict(Counter(what for what in links.values() if what))
    assert tables.held() == tables.contributing() == recount


def churn(
    tables: Tables, faults: Callable[..., Fault], *, batches: int = 25
) -> dict[int, IcaoType | None]:
    """Each thread brings batches of its own links, in order, as a shard does, and now and then an
    old batch of anybody's. Returns what each link contributes to in the end."""
    delivered: list[list[Op]] = []
    links: dict[int, IcaoType | None] = {}

    def work(thread: int) -> None:
        chance = random.Random(thread)
        seeds = iter(range(thread * 10_000, (thread + 1) * 10_000))

        def fresh() -> Counters:
            return tables.counters(faults(next(seeds), *FAULTS))[0]

        version = 0
        for _ in range(batches):
            ops = []
            for _ in range(chance.randint(1, 12)):
                n, version = thread * 100 + chance.randrange(8), version + 1
                links[n] = chance.choice([None, counted(1), counted(2), counted(3)])
                ops.append(says(n, links[n], version))
            deliver(fresh, ops)
            delivered.append(ops)
            if chance.random() < 0.4:
                deliver(fresh, chance.choice(delivered))

    in_threads(work)
    return links


def test_a_contribution_without_its_condition_is_found_out(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the row is written whatever it was, so what is delivered twice counts twice."""
    put = actions.put

    def unconditional(*given: Any) -> Any:
        made: Any = put(*given)["Put"]
        return {"Put": {"TableName": made["TableName"], "Item": made["Item"]}}

    monkeypatch.setattr(actions, "put", unconditional)

    def at_once(name: str, call: Callable[[], Any]) -> Any:
        """The same batch comes to another container, just before this one writes."""
        if name == "transact_write_items":
            write(tables.counters()[0], [says(1, counted(1), 1)])
        return call()

    write(tables.counters(at_once)[0], [says(1, counted(1), 1)])
    assert tables.contributing() == {counted(1): 1}
    assert tables.held() == {counted(1): 2}


# ── Default images ────────────────────────────────────────────────────────────────────────────────

ENTITIES = [Entity("SYSTEM", kind, f"{n}") for kind in ("ICAO", "REGISTRATION") for n in (1, 2)]


def picture(entity: Entity, n: int) -> Mapping[str, Any]:
    return entity.row(f"IMG#{n}")


def change_images(tables: Tables, faults: Callable[..., Fault], *, rounds: int = 40) -> None:
    """Each thread uploads and removes images of every entity, and then brings their ops; one
    partition key's records may be under way in two invocations at once."""

    def work(thread: int) -> None:
        chance = random.Random(thread)
        seeds = iter(range(thread * 10_000, (thread + 1) * 10_000))

        def fresh() -> DefaultImage:
            return tables.images(faults(next(seeds), *FAULTS))[0]

        for _ in range(rounds):
            ops = []
            for entity in chance.sample(ENTITIES, chance.randint(1, len(ENTITIES))):
                keys = picture(entity, chance.randint(1, 3))
                if chance.random() < 0.45:
                    tables.put(keys, **entity._asdict())
                else:
                    tables.delete(keys)
                ops.append(look(entity))
            deliver(fresh, ops)

    in_threads(work)


def invalid(tables: Tables) -> list[Entity]:
    """The entities whose default points nowhere, is missing, or is another to readers."""
    found = []
    for entity in ENTITIES:
        pointer, lookup = tables.image(entity)
        images = tables.images_of(entity)
        if pointer != lookup or (pointer not in images if images else pointer is not None):
            found.append(entity)
    return found


def test_every_default_is_valid_after_random_churn(tables: Tables) -> None:
    """Four writers at four entities, crashes at every call."""
    change_images(tables, at_random)
    assert invalid(tables) == []


def test_one_look_for_each_entity(tables: Tables) -> None:
    """Requests for a batch: one for all rows, then at most three for each entity."""
    for entity in ENTITIES:
        tables.put(picture(entity, 1), **entity._asdict())
    sink, client = tables.images()
    assert write(sink, map(look, ENTITIES)) == [WRITTEN] * len(ENTITIES)
    assert client.calls == {"batch_get_item": 1, "query": 4, "transact_write_items": 4}
    assert invalid(tables) == []


def gone(tables: Tables, entity: Entity) -> Fault:
    """The only image goes before the transaction, and another container has dealt with it."""
    tables.put(picture(entity, 1), **entity._asdict())
    return meanwhile(tables, entity, lambda: tables.delete(picture(entity, 1)))


def come(tables: Tables, entity: Entity) -> Fault:
    """There is none left, but before the transaction there is, and another has dealt with it."""
    tables.put(entity.row("DEFAULT"), image="IMG#1")
    return meanwhile(tables, entity, lambda: tables.put(picture(entity, 2)))


def meanwhile(tables: Tables, entity: Entity, change: Callable[[], None]) -> Fault:
    once = iter([None])

    def fault(name: str, call: Callable[[], Any]) -> Any:
        if name == "transact_write_items" and next(once, 0) is None:
            change()
            write(tables.images()[0], [look(entity)])
        return call()

    return fault


@pytest.mark.parametrize(("story", "condition"), [(gone, "_check"), (come, "_write")])
@pytest.mark.parametrize("planted", [False, True])
def test_a_dangling_default_is_found_out(
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[Tables, Entity], Fault],
    condition: str,
    planted: bool,
) -> None:
    """Planted: the pointer is set whether its image exists or not, and removed whatever it was."""
    if planted:
        method = getattr(DefaultImage, condition)

        def always(self: DefaultImage, keys: Any, *given: Any) -> Any:
            *row, _ = given
            holds = {"ConditionExpression": "attribute_not_exists(no_such_attribute)"}
            return method(self, keys, *row, holds)

        monkeypatch.setattr(DefaultImage, condition, always)
    write(tables.images(story(tables, ENTITIES[0]))[0], [look(ENTITIES[0])])
    assert invalid(tables) == (ENTITIES[:1] if planted else [])
