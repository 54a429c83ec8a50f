"""The rules of a run's messages, on a segment of three pages, in every order of what can happen.

A worker may die before each of its effects; SQS may deliver a message while it is in flight, and
delivers it again if its worker died. Once all is at rest the segment is done, each
page was done without anybody else in between, and no message is left. Each rule is needed: without
it a history is found that ends otherwise, or never. tests/unit/runs/ has the real worker die at
every call.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.proofs.explore import Explored, explore

PAGES = 3
DEATHS, DUPLICATES = 1, 1


class Message(NamedTuple):
    """*id* is SQS's: of deliveries of one message that are handled at once, deleting one deletes
    all."""

    id: int
    hop: int


class Worker(NamedTuple):
    """A delivery of a message, and what is to be done next with it. *next*: the hop to send."""

    message: Message
    phase: str  # look, page, verify, release, send, note, delete
    next: int = 0


class World(NamedTuple):
    """The segment's row, the queue, and those who work. *dirty*: a dead worker wrote a page that
    nobody has verified since."""

    hop: int
    sent: int
    page: int
    holder: int | None  # the id of the message that the row is claimed for
    sending: int | None  # the id of the message whose worker is to send the next one
    dirty: int | None
    spoilt: bool  # the segment moved on past a page that is dirty
    messages: tuple[Message, ...]  # not deleted; those in flight too
    workers: tuple[Worker, ...]
    ids: int
    deaths: int
    duplicates: int


class Rules(NamedTuple):
    """The rules of the real worker; each can be left out."""

    resend: bool = True  # an older message sends the next, if that is not known to be sent
    note: bool = True  # that a message was sent
    keep_own: bool = True  # a second delivery of the claim's own message is not deleted
    claim: bool = True  # nobody else works on a claimed segment
    wait: bool = True  # an older message comes again while another's worker may be sending


def steps(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    for message in set(world.messages):
        flying = [worker for worker in world.workers if worker.message.id == message.id]
        if not flying:
            yield f"deliver {message}", _deliver(world, message)
        elif world.duplicates and len(flying) == 1:
            twice = world._replace(duplicates=world.duplicates - 1)
            yield f"deliver {message} once more", _deliver(twice, message)
    for worker in world.workers:
        others = list(world.workers)
        others.remove(worker)
        alone = world._replace(workers=tuple(others))
        for name, after, phase in _act(alone, worker, rules):
            if phase is not None:
                hop = after.hop if phase == "send" else worker.next
                after = _with(after, Worker(worker.message, phase, hop))
            yield f"{worker.message}: {name}", after
        if world.deaths:
            yield f"{worker.message}: dies", _die(alone, worker)


def _deliver(world: World, message: Message) -> World:
    return _with(world, Worker(message, "look"))


def _with(world: World, worker: Worker) -> World:
    return world._replace(workers=tuple(sorted((*world.workers, worker))))


def _die(world: World, worker: Worker) -> World:
    """A claim outlives its worker; it is over before the message is delivered again."""
    world = world._replace(deaths=world.deaths - 1)
    if worker.phase == "verify":
        world = world._replace(dirty=world.page)
    if worker.phase in ("page", "verify", "release") and world.holder == worker.message.id:
        world = world._replace(holder=None)
    return _sent_by(world, worker)


def _sent_by(world: World, worker: Worker) -> World:
    """*worker* sends no more."""
    return world._replace(sending=None) if world.sending == worker.message.id else world


def _act(world: World, worker: Worker, rules: Rules) -> Iterator[tuple[str, World, str | None]]:
    """What *worker*, who is left out of *world*, does next; None: nothing more."""
    message, phase, next_ = worker
    if phase == "look":
        yield _look(world, message, rules)
    elif phase == "page":
        yield "writes its page", world, "verify"
    elif phase == "verify":
        verified = world._replace(dirty=None if world.dirty == world.page else world.dirty)
        yield "verifies its page", verified, "release"
    elif phase == "release":
        spoilt = world.spoilt or world.dirty == world.page
        over = world.page + 1 == PAGES
        sending = None if over else message.id
        moved = world._replace(
            page=world.page + 1, hop=world.hop + 1, holder=None, sending=sending, spoilt=spoilt
        )
        yield "releases the segment", moved, "delete" if over else "send"
    elif phase == "send":
        new = Message(world.ids, next_)
        sent = world._replace(messages=tuple(sorted((*world.messages, new))), ids=world.ids + 1)
        yield "sends the next", sent, "note"
    elif phase == "note":
        world = _sent_by(world, worker)
        noted = world._replace(sent=max(world.sent, next_)) if rules.note else world
        yield "notes it", noted, "delete"
    else:
        kept = tuple(each for each in world.messages if each.id != message.id)
        yield "deletes its message", world._replace(messages=kept), None


def _look(world: World, message: Message, rules: Rules) -> tuple[str, World, str | None]:
    if world.page == PAGES:
        return "finds all done", world, "delete"
    if message.hop < world.hop:
        resend = rules.resend and world.sent < world.hop
        if resend and world.sending is not None and rules.wait:
            return "is old, and waits", world, None
        return "is old", world, "send" if resend else "delete"
    if world.holder is not None and rules.claim:
        if world.holder == message.id and rules.keep_own:
            return "finds itself at work", world, None
        return "finds another at work", world, "delete"
    claimed = world._replace(holder=message.id, sending=None, sent=max(world.sent, message.hop))
    return "claims the segment", claimed, "page"


def run(rules: Rules) -> Explored:
    first = Message(0, 0)
    start = World(0, 0, 0, None, None, None, False, (first,), (), 1, DEATHS, DUPLICATES)
    return explore(
        start,
        lambda world: () if _forked(world) else steps(world, rules),
        at_rest=lambda world: _forked(world) or not (world.messages or world.workers),
        good=lambda world: (
            not _forked(world) and world.page == PAGES and not world.spoilt and world.dirty is None
        ),
    )


def _forked(world: World) -> bool:
    """More messages were sent than pages and mishaps account for: each mishap may make one more,
    however many pages there are."""
    mishaps = (DEATHS - world.deaths) + (DUPLICATES - world.duplicates)
    return world.ids > PAGES + mishaps


def test_whatever_happens_a_segment_is_done_and_no_message_is_left() -> None:
    """Over all states of the small world."""
    explored = run(Rules())
    assert explored.history is None
    assert explored.states > 500
    assert explored.at_rest > 3


@pytest.mark.parametrize("rule", Rules._fields)
def test_without_this_rule_some_history_ends_otherwise(rule: str) -> None:
    """The check can fail, and every rule earns its place."""
    explored = run(Rules()._replace(**{rule: False}))
    assert explored.history is not None, f"{rule} makes no difference here"
