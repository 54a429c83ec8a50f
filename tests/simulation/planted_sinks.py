"""Bugs of single sinks: Typesense and its queue, counters, default images. See planted.py."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest import mock

from sync.aws import transactions
from sync.errors import Retry, Unanswered
from sync.lanes import messages, worker
from sync.lanes.sender import Sender
from sync.lanes.worker import LaneWorker
from sync.model.planner import Planner
from sync.sinks import default_image
from sync.sinks.counters import actions
from sync.sinks.counters import sink as counters
from sync.sinks.default_image import DefaultImage
from sync.sinks.typesense import Typesense, answers
from sync.sinks.typesense import sink as direct
from sync.writing.op import Done, Op

Planted = AbstractContextManager[Any]


def lanes_by_version() -> Planted:
    """A document's actions go down any lane."""
    return mock.patch(
        "tests.simulation.run.by_document", lambda count: lambda op: str(op.version % count)
    )


def first_of_a_document_wins() -> Planted:
    """Of the actions that the worker receives for a document, the first one counts."""
    latest = worker._latest

    def backwards(sink: str, records: Sequence[Any], *more: Any) -> Any:
        return latest(sink, list(reversed(records)), *more)

    return mock.patch.object(worker, "_latest", backwards)


def once_by_content() -> Planted:
    """A message's deduplication id is made of what it says of documents, so that an older state
    does not come again."""
    send = Sender._send

    def by_content(self: Sender, sent: Any, deadline: Any) -> Any:
        real = self._clients

        class Renamed:
            def send_message_batch(self, **given: Any) -> Any:
                entries = []
                for entry in given["Entries"]:
                    said = [
                        [action.get(name) for name in ("action", "id", "document")]
                        for action in json.loads(entry["MessageBody"])["actions"]
                    ]
                    once = hashlib.sha256(json.dumps(said).encode()).hexdigest()
                    entries.append({**entry, "MessageDeduplicationId": once})
                return real("sqs").send_message_batch(**{**given, "Entries": entries})

        with mock.patch.object(self, "_clients", return_value=Renamed()):
            return send(self, sent, deadline)

    return mock.patch.object(Sender, "_send", by_content)


def worker_forgets_what_waits() -> Planted:
    """A message is done whatever became of its actions: acknowledged before it is written."""
    return _lanes_settle(lambda one: not isinstance(one.result, Retry))


def worker_drops_refusals() -> Planted:
    """What Typesense refuses is nowhere kept."""
    return _lanes_settle(lambda one: isinstance(one.result, Retry))


def _lanes_settle(which: Callable[[Any], bool]) -> Planted:
    """The worker settles those of its keys alone that are *which*."""
    init: Any = LaneWorker.__init__

    class Some:
        def __init__(self, settle: Any) -> None:
            self._settle = settle

        def run(self, ended: Sequence[Any]) -> Any:
            return self._settle.run([one for one in ended if which(one)])

    def planted(self: Any, *given: Any) -> None:
        init(self, *given[:-1], Some(given[-1]))

    return mock.patch.object(LaneWorker, "__init__", planted)


def one_line_of_an_import_is_ignored() -> Planted:
    """Of the failures of an import, the first is overlooked."""
    read = answers.read_import

    def overlook(answer: str, ops: Sequence[Op]) -> list[Any]:
        results = read(answer, ops)
        for at, result in enumerate(results):
            if not isinstance(result, Done):
                results[at] = Done.WRITTEN
                break
        return results

    return mock.patch.object(direct, "read_import", overlook)


def unanswered_is_an_end() -> Planted:
    """A request whose answer was lost is taken to have been carried out."""
    send = Typesense._send

    def fine(self: Any, target: str, lines: Sequence[Any], deadline: Any) -> list[Any]:
        try:
            return send(self, target, lines, deadline)
        except Unanswered:
            return [Done.WRITTEN] * len(lines)

    return mock.patch.object(Typesense, "_send", fine)


def unanswered_is_tried_at_once() -> Planted:
    """A request whose answer was lost is sent again while it may still be under way."""
    wait = Typesense._wait

    def at_once(self: Any, whole: Any, retry: int, took_s: float, deadline: Any) -> bool:
        if isinstance(whole, Unanswered):
            return bool(deadline.pause(0.05))
        return wait(self, whole, retry, took_s, deadline)

    return mock.patch.object(Typesense, "_wait", at_once)


def large_actions_are_deletes() -> Planted:
    """An action that lost its document to its size is applied as it stands."""
    return mock.patch.object(messages.Action, "reads_item", False)


def equal_on_a_resync() -> Planted:
    """A resync writes nothing where its item has not changed since it was read."""

    plan = Planner.plan

    def unchanged(self: Any, *given: Any, **images: Any) -> Any:
        # A resync knows no old image, and names none.
        return plan(self, *given, **{"old_image": images["new_image"], **images})

    return mock.patch.object(Planner, "plan", unchanged)


def contributions_without_condition() -> Planted:
    """A contribution is put whatever stands there by now, so a change that comes twice counts
    twice."""
    put = actions.put

    def bare(*given: Any) -> Any:
        held = put(*given)["Put"]
        return {"Put": {name: held[name] for name in ("TableName", "Item")}}

    return mock.patch.object(actions, "put", bare)


def former_counters_keep_their_links() -> Planted:
    """A link that means another counter is not taken away from the one it meant before."""
    return mock.patch.object(counters.Move, "before", None)


def counters_fall_unseen() -> Planted:
    """A counter that comes to nothing goes, whatever it holds by now."""
    take = actions.take

    def bare(*given: Any) -> Any:
        held: Any = dict(take(*given))
        if "Delete" in held:
            held = {"Delete": {name: held["Delete"][name] for name in ("TableName", "Key")}}
        return held

    return mock.patch.object(actions, "take", bare)


def a_lost_transaction_is_done() -> Planted:
    """A transaction that others were faster than is taken to have been carried out."""

    def done(*given: Any) -> bool:
        transactions.transact(*given)
        return True

    return mock.patch.object(counters, "transact", done)


def counters_follow() -> Planted:
    """Counters change in a transaction of their own, after the contributions have."""
    transact = transactions.transact

    def apart(clients: Any, parts: Sequence[Any], what: str) -> bool:
        rows = [part for part in parts if "Put" in part]
        rest = [part for part in parts if "Put" not in part]
        return transact(clients, rows, what) and (not rest or transact(clients, rest, what))

    return mock.patch.object(counters, "transact", apart)


def an_image_is_not_checked() -> Planted:
    """A pointer is set to an image that may be gone by then."""
    return _unchecked(default_image._PRESENT)


def a_left_image_is_not_checked() -> Planted:
    """A pointer leaves an image that may be there again by then."""
    return _unchecked(default_image._ABSENT)


def _unchecked(condition: Any) -> Planted:
    transact = transactions.transact

    def without(clients: Any, parts: Sequence[Any], what: str) -> bool:
        kept = [
            part
            for part in parts
            if part.get("ConditionCheck", {}).get("ConditionExpression")
            != condition["ConditionExpression"]
            or part["ConditionCheck"]["Key"]["SK"]["S"] == default_image.POINTER
        ]
        return transact(clients, kept, what)

    return mock.patch.object(default_image, "transact", without)


def pointers_without_condition() -> Planted:
    """A default row and its copy are written whatever they are by now."""

    @contextmanager
    def planted() -> Iterator[None]:
        with ExitStack() as stack:
            check, write = DefaultImage._check, DefaultImage._write

            def unless_pointer(self: Any, keys: Any, condition: Any) -> Any:
                pointer = keys["SK"]["S"] == default_image.POINTER
                always = {"ConditionExpression": "attribute_exists(PK) OR attribute_not_exists(PK)"}
                return check(self, keys, always if pointer else condition)

            def bare(self: Any, keys: Any, item: Any, _condition: Any) -> Any:
                return write(self, keys, item, {})

            stack.enter_context(mock.patch.object(DefaultImage, "_check", unless_pointer))
            stack.enter_context(mock.patch.object(DefaultImage, "_write", bare))
            yield

    return planted()


def pointers_without_lookups() -> Planted:
    """The readers' copy is written by itself, after its pointer."""
    transact = transactions.transact

    def apart(clients: Any, parts: Sequence[Any], what: str) -> bool:
        copies = [part for part in parts if _is_copy(part)]
        rest = [part for part in parts if part not in copies]
        return transact(clients, rest, what) and (not copies or transact(clients, copies, what))

    return mock.patch.object(default_image, "transact", apart)


def _is_copy(part: Any) -> bool:
    ((_, request),) = part.items()
    keys = request.get("Item") or request["Key"]
    return bool(keys["PK"]["S"].startswith("DEFAULT_IMAGES#"))


def images_of_a_moment_ago() -> Planted:
    """An entity's images are read as they may have been a moment before."""
    look = DefaultImage._look

    def stale(self: Any, *given: Any) -> Any:
        real = self._clients

        class Eventually:
            def query(self, **asked: Any) -> Any:
                return real("dynamodb").query(**{**asked, "ConsistentRead": False})

            def get_item(self, **asked: Any) -> Any:
                return real("dynamodb").get_item(**{**asked, "ConsistentRead": False})

        with mock.patch.object(self, "_clients", return_value=Eventually()):
            return look(self, *given)

    return mock.patch.object(DefaultImage, "_look", stale)


SINK_BUGS: Mapping[Any, str] = {
    lanes_by_version: "lanes",
    first_of_a_document_wins: "lanes",
    once_by_content: "lanes",
    worker_forgets_what_waits: "lanes",
    worker_drops_refusals: "lanes",
    one_line_of_an_import_is_ignored: "lanes",
    unanswered_is_an_end: "lanes",
    unanswered_is_tried_at_once: "late lanes",
    large_actions_are_deletes: "lanes",
    equal_on_a_resync: "lanes",
    contributions_without_condition: "contended",
    former_counters_keep_their_links: "contended",
    counters_fall_unseen: "contended",
    a_lost_transaction_is_done: "contended",
    counters_follow: "contended",
    an_image_is_not_checked: "pointers",
    a_left_image_is_not_checked: "pointers",
    pointers_without_condition: "pointers",
    pointers_without_lookups: "pointers",
    images_of_a_moment_ago: "pointers",
}
